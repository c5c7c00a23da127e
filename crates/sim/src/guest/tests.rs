mod crash;
mod driver;
mod harness;
mod ledger;
mod worker;
