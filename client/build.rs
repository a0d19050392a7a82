//! Tells the code which version of the API types `k8s-openapi` was built with: `cfg(k8s_openapi_ge = "1.35")` holds
//! where they are those of Kubernetes 1.35 or newer.

/// The versions that the generated code distinguishes.
const VERSIONS: std::ops::RangeInclusive<u32> = 33..=37;

fn main() -> Result<(), String> {
    let values: Vec<String> = VERSIONS.map(|minor| format!("\"1.{minor}\"")).collect();
    println!(
        "cargo::rustc-check-cfg=cfg(k8s_openapi_ge, values({}))",
        values.join(",")
    );

    // The crate hands its version to the build scripts of its dependents: 0x00_01_25_00 is 1.37.
    let version = std::env::vars()
        .find(|(name, _)| name.starts_with("DEP_K8S_OPENAPI_") && name.ends_with("_VERSION"))
        .and_then(|(_, version)| version.parse::<u32>().ok())
        .ok_or("k8s-openapi does not say which version of Kubernetes it is built for")?;
    let enabled = version >> 8 & 0xff;
    for minor in VERSIONS.filter(|minor| *minor <= enabled) {
        println!("cargo::rustc-cfg=k8s_openapi_ge=\"1.{minor}\"");
    }
    Ok(())
}
