//! Protobuf into the Rust types and back; the first byte chooses the type. How large these are is not the input's
//! choice, so memory has no bound here but that of the process.

#![no_main]

use std::fmt::Debug;

use k8s_openapi::api::core::v1::{ConfigMap, Event, Node, Pod, Secret, Service};
use k8s_openapi::api::{apps::v1::Deployment, batch::v1::CronJob, networking::v1::Ingress};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kubewire_client::wire::Message;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((choice, protobuf)) = input.split_first() else {
        return;
    };
    let check = match choice % 11 {
        0 => round_trip::<Pod>,
        1 => round_trip::<CustomResourceDefinition>,
        2 => round_trip::<Deployment>,
        3 => round_trip::<Event>,
        4 => round_trip::<Node>,
        5 => round_trip::<Secret>,
        6 => round_trip::<Service>,
        7 => round_trip::<CronJob>,
        8 => round_trip::<Ingress>,
        9 => round_trip::<Status>,
        _ => round_trip::<ConfigMap>,
    };
    check(protobuf);
});

/// What was read and written is read again as the same bytes, whatever they were before.
fn round_trip<T: Message + Debug>(protobuf: &[u8]) {
    match T::from_protobuf(protobuf) {
        Ok(object) => {
            let written = object.to_protobuf();
            let again = T::from_protobuf(&written).expect("our own protobuf");
            assert_eq!(again.to_protobuf(), written);
        }
        Err(error) => assert!(error.offset().is_none_or(|offset| offset <= protobuf.len()), "{error}"),
    }
}
