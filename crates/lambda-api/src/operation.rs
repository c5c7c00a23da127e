//! The operations of the API model 2015-03-31, and the action that a policy must allow for each. What they take stands in
//! `schema/lambda.txt`.

use http::{Method, StatusCode};

use crate::schema::Schema;

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// An operation of the API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Operation {
            $($(#[$doc])* $name,)*
        }

        impl Operation {
            /// Every operation, in the order of the schema.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its name in the API model.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// The action of the same name.
            const fn own_action(self) -> &'static str {
                match self {
                    $(Self::$name => concat!("lambda:", stringify!($name)),)*
                }
            }
        }
    };
}

operations! {
    /// Creates a function.
    CreateFunction,
    /// Configuration, code location and tags of a function.
    GetFunction,
    /// Configuration of a function.
    GetFunctionConfiguration,
    /// Every function of an account in a region.
    ListFunctions,
    /// Replaces the code of `$LATEST`.
    UpdateFunctionCode,
    /// Changes the configuration of `$LATEST`.
    UpdateFunctionConfiguration,
    /// Deletes a function or one of its versions.
    DeleteFunction,
    /// Makes a numbered version out of `$LATEST`.
    PublishVersion,
    /// Every version of a function.
    ListVersionsByFunction,
    /// Creates an alias.
    CreateAlias,
    /// One alias.
    GetAlias,
    /// Changes an alias.
    UpdateAlias,
    /// Deletes an alias.
    DeleteAlias,
    /// Every alias of a function.
    ListAliases,
    /// Runs a function.
    Invoke,
    /// Runs a function and streams its response.
    InvokeWithResponseStream,
    /// Queues an event, in the form of 2014.
    InvokeAsync,
    /// Adds a statement to the policy of a function.
    AddPermission,
    /// The policy of a function.
    GetPolicy,
    /// Takes a statement out of the policy of a function.
    RemovePermission,
    /// Replaces a whole policy.
    PutResourcePolicy,
    /// A whole policy.
    GetResourcePolicy,
    /// Deletes a whole policy.
    DeleteResourcePolicy,
    /// Sets tags.
    TagResource,
    /// Takes tags away.
    UntagResource,
    /// The tags of a resource.
    ListTags,
    /// Makes a new version of a layer.
    PublishLayerVersion,
    /// One version of a layer.
    GetLayerVersion,
    /// One version of a layer, by its ARN.
    GetLayerVersionByArn,
    /// Deletes a version of a layer.
    DeleteLayerVersion,
    /// The versions of a layer.
    ListLayerVersions,
    /// The layers of an account.
    ListLayers,
    /// Adds a statement to the policy of a layer version.
    AddLayerVersionPermission,
    /// The policy of a layer version.
    GetLayerVersionPolicy,
    /// Takes a statement out of the policy of a layer version.
    RemoveLayerVersionPermission,
    /// Reserves concurrency for a function.
    PutFunctionConcurrency,
    /// The reserved concurrency of a function.
    GetFunctionConcurrency,
    /// Gives reserved concurrency back.
    DeleteFunctionConcurrency,
    /// Keeps environments of a version or alias ready.
    PutProvisionedConcurrencyConfig,
    /// The provisioned concurrency of a version or alias.
    GetProvisionedConcurrencyConfig,
    /// Keeps no environments ready any more.
    DeleteProvisionedConcurrencyConfig,
    /// The provisioned concurrency of a function.
    ListProvisionedConcurrencyConfigs,
    /// Replaces what becomes of asynchronous invocations.
    PutFunctionEventInvokeConfig,
    /// Changes what becomes of asynchronous invocations.
    UpdateFunctionEventInvokeConfig,
    /// What becomes of asynchronous invocations.
    GetFunctionEventInvokeConfig,
    /// Deletes what was set for asynchronous invocations.
    DeleteFunctionEventInvokeConfig,
    /// What was set for asynchronous invocations of a function.
    ListFunctionEventInvokeConfigs,
    /// Connects an event source with a function.
    CreateEventSourceMapping,
    /// One event source mapping.
    GetEventSourceMapping,
    /// Changes an event source mapping.
    UpdateEventSourceMapping,
    /// Deletes an event source mapping.
    DeleteEventSourceMapping,
    /// Event source mappings.
    ListEventSourceMappings,
    /// Gives a function or alias a URL.
    CreateFunctionUrlConfig,
    /// The URL of a function or alias.
    GetFunctionUrlConfig,
    /// Changes the URL of a function or alias.
    UpdateFunctionUrlConfig,
    /// Deletes the URL of a function or alias.
    DeleteFunctionUrlConfig,
    /// The URLs of a function.
    ListFunctionUrlConfigs,
    /// Creates a code-signing configuration.
    CreateCodeSigningConfig,
    /// One code-signing configuration.
    GetCodeSigningConfig,
    /// Changes a code-signing configuration.
    UpdateCodeSigningConfig,
    /// Deletes a code-signing configuration.
    DeleteCodeSigningConfig,
    /// The code-signing configurations of an account.
    ListCodeSigningConfigs,
    /// The functions that use a code-signing configuration.
    ListFunctionsByCodeSigningConfig,
    /// Attaches a code-signing configuration to a function.
    PutFunctionCodeSigningConfig,
    /// The code-signing configuration of a function.
    GetFunctionCodeSigningConfig,
    /// Takes the code-signing configuration off a function.
    DeleteFunctionCodeSigningConfig,
    /// Sets when the runtime of a version is updated.
    PutRuntimeManagementConfig,
    /// When the runtime of a version is updated.
    GetRuntimeManagementConfig,
    /// Sets what happens when a function calls itself in a loop.
    PutFunctionRecursionConfig,
    /// What happens when a function calls itself in a loop.
    GetFunctionRecursionConfig,
    /// Limits and usage of an account.
    GetAccountSettings,
    /// Creates a capacity provider.
    CreateCapacityProvider,
    /// One capacity provider.
    GetCapacityProvider,
    /// Changes a capacity provider.
    UpdateCapacityProvider,
    /// Deletes a capacity provider.
    DeleteCapacityProvider,
    /// The capacity providers of an account.
    ListCapacityProviders,
    /// The versions that run on a capacity provider.
    ListFunctionVersionsByCapacityProvider,
    /// Sets how many environments a version has on a capacity provider.
    PutFunctionScalingConfig,
    /// How many environments a version has on a capacity provider.
    GetFunctionScalingConfig,
    /// Saves the progress of a durable execution.
    CheckpointDurableExecution,
    /// One durable execution.
    GetDurableExecution,
    /// The history of a durable execution.
    GetDurableExecutionHistory,
    /// The state that a durable execution replays.
    GetDurableExecutionState,
    /// The durable executions of a function.
    ListDurableExecutionsByFunction,
    /// Stops a durable execution.
    StopDurableExecution,
    /// Pauses a durable execution.
    PauseDurableExecution,
    /// Resumes a durable execution.
    ResumeDurableExecution,
    /// Deletes a durable execution.
    DeleteDurableExecution,
    /// Completes a callback.
    SendDurableExecutionCallbackSuccess,
    /// Fails a callback.
    SendDurableExecutionCallbackFailure,
    /// Keeps a callback alive.
    SendDurableExecutionCallbackHeartbeat,
}

impl Operation {
    /// The action that a policy must allow: the name, with exceptions such as `lambda:InvokeFunction`.
    #[must_use]
    pub const fn action(self) -> &'static str {
        match self {
            Self::Invoke | Self::InvokeAsync | Self::InvokeWithResponseStream => {
                "lambda:InvokeFunction"
            }
            Self::GetLayerVersionByArn => Self::GetLayerVersion.own_action(),
            other => other.own_action(),
        }
    }

    /// The status of a success. [`Operation::Invoke`] answers by its invocation type: see
    /// [`crate::invoke::success_status`].
    #[must_use]
    pub fn success(self) -> StatusCode {
        Schema::input(self).success
    }

    /// Whether it runs a function rather than changes or shows the catalog.
    #[must_use]
    pub const fn is_invocation(self) -> bool {
        matches!(
            self,
            Self::Invoke | Self::InvokeAsync | Self::InvokeWithResponseStream
        )
    }

    /// Whether it changes the catalog.
    #[must_use]
    pub fn is_mutation(self) -> bool {
        Schema::input(self).method != Method::GET && !self.is_invocation()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_of_the_model_is_here() {
        assert_eq!(Operation::ALL.len(), 91);
        for (i, operation) in Operation::ALL.iter().enumerate() {
            assert_eq!(*operation as usize, i, "{operation:?}");
            assert_eq!(operation.name(), format!("{operation:?}"));
        }
        assert_eq!(Operation::Invoke.action(), "lambda:InvokeFunction");
        assert_eq!(
            Operation::GetLayerVersionByArn.action(),
            "lambda:GetLayerVersion"
        );
        assert_eq!(Operation::ListTags.action(), "lambda:ListTags");
    }

    #[test]
    fn no_two_operations_share_method_and_path() {
        let key = |o: Operation| {
            let input = Schema::input(o);
            (&input.method, input.path, input.query)
        };
        for a in Operation::ALL {
            for b in Operation::ALL.iter().filter(|b| *b != a) {
                assert!(key(*a) != key(*b), "{a:?} and {b:?}");
            }
        }
    }
}
