//! What `AddPermission` of Lambda is given, and the statement that it becomes.

use model::AccountId;

use crate::{
    Effect, Statement, Version,
    condition::Conditions,
    document::{list::List, tree::Tree},
    error::{InvalidDocument, InvalidPermission, InvalidPrincipal},
    principal,
    statement::{self, Element},
    subject::{Entry, Named, Subject, Type},
};

/// A permission for one action on one resource. API reference of AWS Lambda, `AddPermission` and
/// `AddLayerVersionPermission`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permission<'a> {
    /// The id of the statement.
    pub sid: &'a str,
    /// The action.
    pub action: &'a str,
    /// `*`, an account, a service, or the ARN of a principal.
    pub principal: &'a str,
    /// The ARN of the resource, with its qualifier.
    pub resource: &'a str,
    /// Only on behalf of this resource; may have wildcards.
    pub source_arn: Option<&'a str>,
    /// Only on behalf of this account.
    pub source_account: Option<AccountId>,
    /// Only with this token, which Alexa sends.
    pub event_source_token: Option<&'a str>,
    /// Only for members of this organisation.
    pub principal_org_id: Option<&'a str>,
    /// Only through a function URL that authenticates like this: `NONE` or `AWS_IAM`.
    pub function_url_auth_type: Option<&'a str>,
    /// Only through a function URL, or only not.
    pub invoked_via_function_url: Option<bool>,
}

impl<'a> Permission<'a> {
    /// A permission without conditions.
    #[must_use]
    pub const fn new(sid: &'a str, action: &'a str, principal: &'a str, resource: &'a str) -> Self {
        Self {
            sid,
            action,
            principal,
            resource,
            source_arn: None,
            source_account: None,
            event_source_token: None,
            principal_org_id: None,
            function_url_auth_type: None,
            invoked_via_function_url: None,
        }
    }

    /// The statement that grants it, for a document of [`Version::V2012`].
    ///
    /// # Errors
    /// [`InvalidPermission::Principal`] if the principal is none of the four; [`InvalidPermission::Statement`] for anything
    /// else that cannot stand in a statement.
    pub fn statement(&self) -> Result<Statement, InvalidPermission> {
        let subject = self.subject().map_err(InvalidPermission::Principal)?;
        self.with(subject).map_err(InvalidPermission::Statement)
    }

    fn with(&self, subject: Subject) -> Result<Statement, InvalidDocument> {
        let variables = Version::V2012.has_variables();
        let action = statement::action(self.action).map_err(|e| e.below(".Action"))?;
        let resource = statement::resource(self.resource, variables);
        let conditions = Conditions::read(&self.conditions(), variables);
        Ok(Statement {
            sid: Some(self.sid.into()),
            effect: Effect::Allow,
            subject,
            action: Element::one(action),
            resource: Some(Element::one(resource.map_err(|e| e.below(".Resource"))?)),
            conditions: conditions.map_err(|e| e.below(".Condition"))?,
        })
    }

    fn subject(&self) -> Result<Subject, InvalidPrincipal> {
        let listed = |of, text: &str, account| {
            let entry = Entry::new(text.into(), account);
            Subject::Named(Named::Listed(vec![(of, List::one(entry))]))
        };
        let text = self.principal;
        if text == "*" {
            return Ok(Subject::Named(Named::Everybody));
        }
        if let Ok(account) = text.parse::<AccountId>() {
            let partition = self.resource.split(':').nth(1).unwrap_or("aws");
            let root = format!("arn:{partition}:iam::{account}:root");
            return Ok(listed(Type::Aws, &root, Some(account)));
        }
        if text.starts_with("arn:") {
            let (account, entity) = principal::parse_arn(text)?;
            let whole = entity == principal::Entity::Root;
            return Ok(listed(Type::Aws, text, whole.then_some(account)));
        }
        match principal::parse_service(text) {
            Ok(()) => Ok(listed(Type::Service, text, None)),
            Err(e) => Err(InvalidPrincipal {
                expected: "*, an account of 12 digits, the name of a service, or the ARN of a principal",
                ..e
            }),
        }
    }

    /// The value of `Condition`, operators and keys in AWS's order.
    fn conditions(&self) -> Tree {
        let source_account = self.source_account.as_ref().map(AccountId::as_str);
        let via_url = self
            .invoked_via_function_url
            .map(|via| if via { "true" } else { "false" });
        let texts = [
            ("AWS:SourceAccount", source_account),
            ("lambda:EventSourceToken", self.event_source_token),
            ("aws:PrincipalOrgID", self.principal_org_id),
            ("lambda:FunctionUrlAuthType", self.function_url_auth_type),
        ];
        let blocks = [
            block("StringEquals", &texts),
            block("ArnLike", &[("AWS:SourceArn", self.source_arn)]),
            block("Bool", &[("lambda:InvokedViaFunctionUrl", via_url)]),
        ];
        Tree::Object(blocks.into_iter().flatten().collect())
    }
}

/// An operator and those of its keys that have a value; `None` if none has.
fn block(operator: &str, keys: &[(&str, Option<&str>)]) -> Option<(String, Tree)> {
    let given = keys.iter().filter_map(|(key, value)| {
        let value = Tree::Text((*value)?.to_owned());
        Some(((*key).to_owned(), value))
    });
    let given: Vec<_> = given.collect();
    (!given.is_empty()).then(|| (operator.to_owned(), Tree::Object(given)))
}

#[cfg(test)]
mod tests;
