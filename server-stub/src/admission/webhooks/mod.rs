//! `MutatingAdmissionWebhook` and `ValidatingAdmissionWebhook`: other servers are asked about what is to be written.
//!
//! Configurations are followed by our own informers. Webhooks that may change the object are asked one after the other,
//! in the order of their configurations' names; those that only judge it, all at once. Match conditions are not
//! evaluated: a webhook that has some is asked whenever the rest of it fits, and the log says so.

mod call;
mod client;
mod configuration;
mod matching;
mod review;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use futures::future::join_all;
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration};
use k8s_openapi::api::core::v1::{Namespace, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kubewire_client::{Clientset, Gvk};
use kubewire_informers::{Lister, SharedInformerFactory};
use serde_json::{Value, json};

use self::call::CallError;
use self::client::Clients;
use self::configuration::Webhook;
use crate::aggregator::ServiceResolver;
use crate::audit::AuditContext;
use crate::filters::WarningRecorder;
use crate::generic::clock::{Clock, Ids};
use crate::generic::hooks::{HookError, PostStartHook};
use crate::generic::request::UserInfo;
use crate::registry::Operation;
use crate::status::ApiError;

/// Knows the webhooks, once [`follow`](Self::follow) has returned, and asks them.
#[derive(Default)]
pub(crate) struct Webhooks {
    sources: OnceLock<Sources>,
    clients: Clients,
}

/// What the informers know.
struct Sources {
    mutating: Lister<MutatingWebhookConfiguration>,
    validating: Lister<ValidatingWebhookConfiguration>,
    namespaces: Lister<Namespace>,
    services: ServiceResolver,
    clientset: Clientset,
}

/// A request that is to be admitted: everything but the objects.
#[derive(Clone, Debug)]
pub(crate) struct Attributes {
    pub(crate) kind: Gvk,
    pub(crate) resource: Resource,
    pub(crate) subresource: String,
    /// Other versions in which the same objects are served, and their kinds.
    pub(crate) equivalents: Vec<(Resource, Gvk)>,
    pub(crate) namespace: String,
    /// The name in the path; empty where there is none.
    pub(crate) name: String,
    pub(crate) options: Value,
    pub(crate) dry_run: bool,
    pub(crate) user: Arc<UserInfo>,
    pub(crate) warnings: WarningRecorder,
    pub(crate) audit: AuditContext,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
}

/// A resource in one version of its group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) resource: String,
}

/// The operation's name in rules and questions.
fn name_of(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "CREATE",
        Operation::Update => "UPDATE",
        Operation::Delete => "DELETE",
        Operation::Connect => "CONNECT",
    }
}

/// The objects of a request, as far as there are any.
#[derive(Clone, Copy)]
struct Objects<'a> {
    new: Option<&'a Value>,
    old: Option<&'a Value>,
}

/// What the first round found out for the second one.
#[derive(Debug, Default)]
pub(crate) struct Reinvocation {
    /// Webhooks that want to see what others changed after them.
    again: BTreeSet<String>,
    /// Those of them that were asked since the last change.
    asked: BTreeSet<String>,
}

impl Reinvocation {
    /// Whether a second round is needed.
    pub(crate) fn is_due(&self) -> bool {
        !self.again.is_empty()
    }
}

impl Webhooks {
    /// Starts to follow the configurations and waits until all are known.
    pub(crate) async fn follow(&self, informers: &SharedInformerFactory) -> Result<(), HookError> {
        let (mutating, validating) = (informers.informer(), informers.informer());
        let (namespaces, services) = (informers.informer(), informers.informer::<Service>());
        let slices = informers.informer::<EndpointSlice>();
        mutating.start();
        validating.start();
        namespaces.start();
        services.start();
        slices.start();
        tokio::try_join!(
            mutating.wait_for_sync(),
            validating.wait_for_sync(),
            namespaces.wait_for_sync(),
            services.wait_for_sync(),
            slices.wait_for_sync(),
        )?;
        self.sources.get_or_init(|| Sources {
            mutating: mutating.lister(),
            validating: validating.lister(),
            namespaces: namespaces.lister(),
            services: ServiceResolver::new(&services, &slices),
            clientset: informers.clientset().clone(),
        });
        Ok(())
    }

    /// The hook that follows the configurations.
    pub(crate) fn hook(self: Arc<Self>) -> PostStartHook {
        PostStartHook::new("start-apiserver-admission-initializer", move |context| {
            let webhooks = self.clone();
            async move { webhooks.follow(&context.informers).await }
        })
    }

    /// Whether there is any webhook at all.
    pub(crate) fn any(&self) -> bool {
        let sources = self.sources.get();
        sources.is_some_and(|sources| !sources.mutating.is_empty() || !sources.validating.is_empty())
    }

    /// Lets webhooks change the object. In the second round only those are asked that the first one says.
    ///
    /// # Errors
    /// A webhook refuses the request, or cannot be asked although it has to be.
    pub(crate) async fn mutate(
        &self,
        attributes: &Attributes,
        operation: Operation,
        object: &mut Option<Value>,
        old: Option<&Value>,
        second: Option<Reinvocation>,
    ) -> Result<Reinvocation, ApiError> {
        let mut state = Reinvocation::default();
        let Some(sources) = self.sources.get().filter(|_| !attributes.is_exempt()) else {
            return Ok(state);
        };
        let round = u8::from(second.is_some());
        for (index, webhook) in sources.mutating_webhooks().iter().enumerate() {
            let objects = Objects {
                new: object.as_ref(),
                old,
            };
            let Some(invocation) = sources.invocation(webhook, attributes, operation, objects).await? else {
                continue;
            };
            if second.as_ref().is_some_and(|first| !first.again.contains(&webhook.id)) {
                continue;
            }
            let asked = self.ask(sources, webhook, &invocation, objects);
            let changed = asked.await.and_then(|answer| answer.patched(webhook, objects.new));
            let mutated = changed.as_ref().is_ok_and(Option::is_some);
            let note = json!({ "configuration": webhook.configuration, "webhook": webhook.name, "mutated": mutated });
            let place = format!("round_{round}_index_{index}");
            attributes
                .audit
                .annotate(format!("mutation.webhook.admission.k8s.io/{place}"), note.to_string());
            match changed {
                Ok(Some(new)) => {
                    *object = Some(new);
                    state.again.append(&mut state.asked);
                }
                Ok(None) => {}
                Err(error) => {
                    error.unless_ignored(webhook, || {
                        let key = format!("failed-open.mutation.webhook.admission.k8s.io/{place}");
                        attributes.audit.annotate(key, &webhook.name);
                    })?;
                }
            }
            if webhook.reinvoke {
                state.asked.insert(webhook.id.clone());
            }
        }
        Ok(state)
    }

    /// Asks the webhooks that judge a request.
    ///
    /// # Errors
    /// A webhook refuses the request, or cannot be asked although it has to be.
    pub(crate) async fn validate(
        &self,
        attributes: &Attributes,
        operation: Operation,
        object: Option<&Value>,
        old: Option<&Value>,
    ) -> Result<(), ApiError> {
        let Some(sources) = self.sources.get().filter(|_| !attributes.is_exempt()) else {
            return Ok(());
        };
        let objects = Objects { new: object, old };
        let mut invocations = Vec::new();
        for webhook in sources.validating_webhooks() {
            if let Some(invocation) = sources.invocation(&webhook, attributes, operation, objects).await? {
                invocations.push((webhook, invocation));
            }
        }
        let ask = async |index: usize, webhook: &Webhook, invocation: &matching::Invocation<'_>| {
            let answer = self.ask(sources, webhook, invocation, objects).await;
            let judged = answer.and_then(|answer| answer.without_patch());
            judged.or_else(|error| {
                error.unless_ignored(webhook, || {
                    let key = format!("failed-open.validating.webhook.admission.k8s.io/round_0_index_{index}");
                    attributes.audit.annotate(key, &webhook.name);
                })
            })
        };
        let asked = invocations.iter().enumerate();
        let answers = join_all(asked.map(|(index, (webhook, invocation))| ask(index, webhook, invocation))).await;
        answers.into_iter().collect()
    }

    async fn ask(
        &self,
        sources: &Sources,
        webhook: &Webhook,
        invocation: &matching::Invocation<'_>,
        objects: Objects<'_>,
    ) -> Result<call::Answer, CallError> {
        let attributes = invocation.attributes;
        webhook.check_dry_run(attributes.dry_run)?;
        let review = review::Review::new(webhook, invocation, objects)?;
        let endpoint = self.clients.endpoint(webhook, &sources.services)?;
        let body = endpoint.post(webhook.timeout, review.request()).await?;
        let answer = review.verify(&body)?;
        for (key, value) in answer.audit_annotations.iter().flatten() {
            attributes.audit.annotate(format!("{}/{key}", webhook.name), value);
        }
        attributes.warnings.extend(answer.warnings.iter().flatten().cloned());
        call::Answer::allowed(webhook, answer)
    }
}

impl Attributes {
    /// A webhook that could keep webhooks from being repaired would be the end.
    fn is_exempt(&self) -> bool {
        self.kind.group == "admissionregistration.k8s.io"
            && (self.kind.kind.ends_with("WebhookConfiguration") || self.kind.kind.contains("AdmissionPolicy"))
    }
}
