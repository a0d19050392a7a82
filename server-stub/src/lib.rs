//! A minimal Kubernetes API server for tests, as a library and as a binary.

mod admission;
pub mod aggregator;
pub mod apiextensions;
pub mod app;
pub mod audit;
pub mod authentication;
pub mod authorization;
pub mod controllers;
pub mod endpoints;
pub mod envtest;
pub mod field_error;
pub mod filters;
pub mod generic;
mod go_duration;
mod go_value;
mod human_duration;
pub mod proxy;
pub mod registry;
pub mod status;
pub mod storage;
pub mod testing;
