//! `MutatingAdmissionWebhook` and `ValidatingAdmissionWebhook`: other servers are asked about what is to be written.
//!
//! Configurations are followed by our own informers. Webhooks that may change the object are asked one after the other,
//! in the order of their configurations' names; those that only judge it, all at once. Match conditions are not
//! evaluated: a webhook that has some counts as one whose conditions fail, so that its failure policy decides.

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
use kubewire_client::{Clientset, Gvk, Gvr};
use kubewire_informers::{Lister, SharedInformerFactory};
use serde_json::{Value, json};

use self::call::CallError;
use self::client::Clients;
use self::configuration::Webhook;
use self::matching::Invocation;
use crate::aggregator::ServiceResolver;
use crate::audit::AuditContext;
use crate::endpoints::Equivalents;
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
    pub(crate) resource: Gvr,
    pub(crate) subresource: String,
    /// Other versions in which the same objects are served.
    pub(crate) equivalents: Equivalents,
    pub(crate) namespace: String,
    /// The name in the path; empty where there is none.
    pub(crate) name: String,
    /// The options of the request, without their kind.
    pub(crate) options: Value,
    pub(crate) dry_run: bool,
    pub(crate) user: Arc<UserInfo>,
    pub(crate) warnings: WarningRecorder,
    pub(crate) audit: AuditContext,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
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

/// What the first round found out for the second one, in which all that changes objects has another look.
#[derive(Debug, Default)]
pub(crate) struct Reinvocation {
    rounds: u8,
    /// Some webhook changed the object.
    changed: bool,
    /// The object as the webhooks of the first round left it, if they changed it.
    left: Option<Value>,
    /// Webhooks that want to see what others changed after them.
    again: BTreeSet<String>,
    /// Those that want to, and were asked since the last change.
    asked: BTreeSet<String>,
}

impl Reinvocation {
    /// Whether a second round is needed.
    pub(crate) fn is_due(&self) -> bool {
        self.changed && self.rounds == 1
    }

    /// Somebody changed the object: those that were asked before want to know.
    fn note_change(&mut self) {
        self.again.append(&mut self.asked);
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

    /// Lets webhooks change the object. In the second round only those are asked that want to see what has changed.
    ///
    /// # Errors
    /// A webhook refuses the request, or cannot be asked although it has to be.
    pub(crate) async fn mutate(
        &self,
        attributes: &Attributes,
        operation: Operation,
        object: &mut Option<Value>,
        old: Option<&Value>,
        state: &mut Reinvocation,
    ) -> Result<(), ApiError> {
        let round = state.rounds;
        state.rounds += 1;
        let Some(sources) = self.sources.get().filter(|_| !attributes.is_exempt()) else {
            return Ok(());
        };
        if state.left.as_ref().is_some_and(|left| Some(left) != object.as_ref()) {
            state.note_change();
        }
        for (index, webhook) in sources.mutating_webhooks().iter().enumerate() {
            let objects = Objects {
                new: object.as_ref(),
                old,
            };
            let Some(invocation) = sources.invocation(webhook, attributes, operation, objects).await? else {
                continue;
            };
            if round > 0 && !state.again.contains(&webhook.id) {
                continue;
            }
            let changed = self.change(sources, webhook, &invocation, objects).await;
            let mutated = changed.as_ref().is_ok_and(Option::is_some);
            let note = json!({ "configuration": webhook.configuration, "webhook": webhook.name, "mutated": mutated });
            let place = format!("round_{round}_index_{index}");
            attributes
                .audit
                .annotate(format!("mutation.webhook.admission.k8s.io/{place}"), note.to_string());
            match changed {
                Ok(Some(new)) => {
                    *object = Some(new);
                    state.changed = true;
                    state.note_change();
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
        state.left = object.as_ref().filter(|_| state.is_due()).cloned();
        Ok(())
    }

    /// Asks a webhook what it makes of the object; `None` if it leaves it as it is.
    async fn change(
        &self,
        sources: &Sources,
        webhook: &Webhook,
        invocation: &Invocation<'_>,
        objects: Objects<'_>,
    ) -> Result<Option<Value>, CallError> {
        webhook.check_dry_run(invocation.attributes.dry_run)?;
        let converted = invocation.converted(objects).await?;
        let answer = self
            .ask(sources, webhook, invocation, converted.objects(), true)
            .await?;
        let Some(patched) = answer.patched(webhook, invocation.kind, converted.objects().new)? else {
            return Ok(None);
        };
        invocation.restored(patched).await.map(Some)
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
        let judge = async |webhook: &Webhook, invocation: &Invocation<'_>| {
            webhook.check_dry_run(attributes.dry_run)?;
            let converted = invocation.converted(objects).await?;
            let answer = self
                .ask(sources, webhook, invocation, converted.objects(), false)
                .await?;
            answer.without_patch()
        };
        let ask = async |index: usize, webhook: &Webhook, invocation: &Invocation<'_>| {
            judge(webhook, invocation).await.or_else(|error| {
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
        invocation: &Invocation<'_>,
        objects: Objects<'_>,
        mutating: bool,
    ) -> Result<call::Answer, CallError> {
        let attributes = invocation.attributes;
        let review = review::Review::new(webhook, invocation, objects)?;
        let endpoint = self.clients.endpoint(webhook, &sources.services)?;
        let body = endpoint.post(webhook.timeout, review.request()).await?;
        let answer = review.verify(&body, mutating)?;
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
