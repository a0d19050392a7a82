//! Access to resources whose types the program does not know at compile time: [`DynamicApi`] and [`DynamicObject`].

mod api;
mod object;
mod resource;
mod table;
#[cfg(test)]
mod tests;

pub use api::DynamicApi;
pub use object::DynamicObject;
pub use resource::ApiResource;
