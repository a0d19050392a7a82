// An extension API server on k8s.io/apiserver: it keeps books in memory and leaves it to the server in front of it to
// say who asks and what they may do.
package main

import (
	"flag"
	"log"

	generatedopenapi "k8s.io/apiextensions-apiserver/pkg/generated/openapi"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/endpoints/openapi"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

const group = "library.example.com"

var (
	scheme = runtime.NewScheme()
	codecs = serializer.NewCodecFactory(scheme)
	v1     = schema.GroupVersion{Group: group, Version: "v1"}
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "kubeconfig of the server in front of this one")
	port := flag.Int("port", 0, "port to listen on")
	folder := flag.String("cert-dir", "", "folder for the serving certificate")
	flag.Parse()
	if err := run(*kubeconfig, *folder, *port); err != nil {
		log.Fatal(err)
	}
}

func run(kubeconfig, folder string, port int) error {
	for _, version := range []schema.GroupVersion{v1, {Group: group, Version: runtime.APIVersionInternal}} {
		scheme.AddKnownTypes(version, &Book{}, &BookList{})
	}
	metav1.AddToGroupVersion(scheme, v1)
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})

	options := genericoptions.NewRecommendedOptions("", codecs.LegacyCodec(v1))
	options.Etcd, options.Admission = nil, nil
	options.Features.EnablePriorityAndFairness = false
	options.CoreAPI.CoreAPIKubeconfigPath = kubeconfig
	options.Authentication.RemoteKubeConfigFile = kubeconfig
	options.Authorization.RemoteKubeConfigFile = kubeconfig
	options.SecureServing.BindPort = port
	options.SecureServing.ServerCert.CertDirectory = folder
	if err := options.SecureServing.MaybeDefaultWithSelfSignedCerts("localhost", []string{"library.default.svc"}, nil); err != nil {
		return err
	}
	config := genericapiserver.NewRecommendedConfig(codecs)
	config.EffectiveVersion = compatibility.DefaultBuildEffectiveVersion()
	namer := openapi.NewDefinitionNamer(scheme)
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(definitions, namer)
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(definitions, namer)
	if err := options.ApplyTo(config); err != nil {
		return err
	}
	server, err := config.Complete().New("library", genericapiserver.NewEmptyDelegate())
	if err != nil {
		return err
	}
	info := genericapiserver.NewDefaultAPIGroupInfo(group, scheme, metav1.ParameterCodec, codecs)
	info.VersionedResourcesStorageMap["v1"] = map[string]rest.Storage{"books": newShelf()}
	if err := server.InstallAPIGroup(&info); err != nil {
		return err
	}
	return server.PrepareRun().RunWithContext(genericapiserver.SetupSignalContext())
}

// definitions describes books beside what every server has.
func definitions(ref common.ReferenceCallback) map[string]common.OpenAPIDefinition {
	all := generatedopenapi.GetOpenAPIDefinitions(ref)
	text := spec.Schema{SchemaProps: spec.SchemaProps{Type: []string{"string"}, Format: ""}}
	meta := func(name string) spec.Schema {
		return spec.Schema{SchemaProps: spec.SchemaProps{Ref: ref(name)}}
	}
	object := func(properties map[string]spec.Schema, dependencies ...string) common.OpenAPIDefinition {
		return common.OpenAPIDefinition{
			Schema:       spec.Schema{SchemaProps: spec.SchemaProps{Type: []string{"object"}, Properties: properties}},
			Dependencies: dependencies,
		}
	}
	books := spec.Schema{SchemaProps: spec.SchemaProps{
		Type:  []string{"array"},
		Items: &spec.SchemaOrArray{Schema: &spec.Schema{SchemaProps: spec.SchemaProps{Ref: ref(Book{}.OpenAPIModelName())}}},
	}}
	all[Book{}.OpenAPIModelName()] = object(map[string]spec.Schema{
		"apiVersion": text, "kind": text, "metadata": meta(metav1.ObjectMeta{}.OpenAPIModelName()), "title": text, "addedBy": text,
	}, metav1.ObjectMeta{}.OpenAPIModelName())
	all[BookList{}.OpenAPIModelName()] = object(map[string]spec.Schema{
		"apiVersion": text, "kind": text, "metadata": meta(metav1.ListMeta{}.OpenAPIModelName()), "items": books,
	}, metav1.ListMeta{}.OpenAPIModelName(), Book{}.OpenAPIModelName())
	return all
}
