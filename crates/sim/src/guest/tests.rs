mod crash;
mod driver;
mod harness;
mod health;
mod ledger;
mod worker;
