// Prints every request that client-go's clientset makes, one JSON object a line: each method of each resource, with
// options whose fields are all set and with none. The test `tests/requests` compares our own requests with them.
package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"sort"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

const (
	namespace = "the-namespace"
	name      = "the-name"
)

// Record is one request.
type Record struct {
	Group       string `json:"group"`
	Version     string `json:"version"`
	Kind        string `json:"kind"`
	Namespaced  bool   `json:"namespaced"`
	Call        string `json:"call"`
	Options     bool   `json:"options"`
	Method      string `json:"method"`
	Path        string `json:"path"`
	Query       string `json:"query,omitempty"`
	Accept      string `json:"accept"`
	ContentType string `json:"contentType,omitempty"`
	Body        string `json:"body,omitempty"`
}

// catcher keeps the request it sees and answers with a failure.
type catcher struct{ request *http.Request }

func (c *catcher) RoundTrip(request *http.Request) (*http.Response, error) {
	c.request = request
	body := `{"kind":"Status","apiVersion":"v1","status":"Failure","code":403,"reason":"Forbidden"}`
	return &http.Response{
		StatusCode: http.StatusForbidden,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       io.NopCloser(strings.NewReader(body)),
		Request:    request,
	}, nil
}

func main() {
	caught := &catcher{}
	config := &rest.Config{Host: "http://server", Transport: caught, QPS: -1}
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	clientset := kubernetes.NewForConfigOrDie(config)
	var lines []string
	set := reflect.ValueOf(clientset)
	for i := 0; i < set.NumMethod(); i++ {
		method := set.Type().Method(i)
		if method.Type.NumIn() != 1 || method.Name == "Discovery" || method.Type.NumOut() != 1 {
			continue
		}
		if api := set.Method(i).Call(nil)[0]; api.MethodByName("RESTClient").IsValid() {
			lines = append(lines, groupVersion(caught, api)...)
		}
	}
	sort.Strings(lines)
	fmt.Fprintln(os.Stderr, len(lines), "requests")
	fmt.Println(strings.Join(lines, "\n"))
}

func groupVersion(caught *catcher, api reflect.Value) []string {
	client := api.MethodByName("RESTClient").Call(nil)[0].Interface().(rest.Interface)
	version := client.APIVersion()
	var lines []string
	for i := 0; i < api.NumMethod(); i++ {
		accessor := api.Type().Method(i)
		if accessor.Name == "RESTClient" {
			continue
		}
		var in []reflect.Value
		namespaced := api.Method(i).Type().NumIn() == 1
		if namespaced {
			in = append(in, reflect.ValueOf(namespace))
		}
		resource := api.Method(i).Call(in)[0]
		kind := ""
		if get := resource.MethodByName("Get"); get.IsValid() {
			kind = get.Type().Out(0).Elem().Name()
		} else if create := resource.MethodByName("Create"); create.IsValid() {
			kind = create.Type().Out(0).Elem().Name()
		}
		for _, options := range []bool{false, true} {
			for _, call := range []string{
				"Get", "List", "Watch", "Create", "Update", "UpdateStatus", "Patch", "Delete", "DeleteCollection",
				"GetScale", "UpdateScale", "CreateToken", "EvictV1", "Bind", "UpdateApproval",
				"UpdateEphemeralContainers", "UpdateResize", "GetLogs",
			} {
				method := resource.MethodByName(call)
				if !method.IsValid() {
					continue
				}
				caught.request = nil
				invoke(method, options)
				if caught.request == nil {
					continue
				}
				record := Record{
					Group: version.Group, Version: version.Version, Kind: kind, Namespaced: namespaced,
					Call: call, Options: options,
				}
				line, err := json.Marshal(fill(record, caught.request))
				if err != nil {
					panic(err)
				}
				lines = append(lines, string(line))
			}
		}
	}
	return lines
}

// invoke calls a method with arguments made up by their types.
func invoke(method reflect.Value, options bool) {
	var in []reflect.Value
	ty := method.Type()
	for i := 0; i < ty.NumIn(); i++ {
		if ty.IsVariadic() && i == ty.NumIn()-1 {
			break
		}
		in = append(in, argument(ty.In(i), options))
	}
	out := method.Call(in)
	if request, ok := out[0].Interface().(*rest.Request); ok {
		request.Do(context.Background())
	}
}

func argument(ty reflect.Type, options bool) reflect.Value {
	switch ty {
	case reflect.TypeOf((*context.Context)(nil)).Elem():
		return reflect.ValueOf(context.Background())
	case reflect.TypeOf(types.PatchType("")):
		return reflect.ValueOf(types.MergePatchType)
	case reflect.TypeOf([]byte(nil)):
		return reflect.ValueOf([]byte(`{"metadata":{"labels":{"a":"b"}}}`))
	case reflect.TypeOf(""):
		return reflect.ValueOf(name)
	}
	value := reflect.New(ty).Elem()
	if ty.Kind() == reflect.Pointer {
		value = reflect.New(ty.Elem())
	}
	if object, ok := value.Interface().(metav1.Object); ok {
		object.SetName(name)
		object.SetNamespace(namespace)
		fillRequired(value.Elem())
		return value
	}
	if options {
		setOptions(value)
	}
	return value
}

// fillRequired sets the pointers and bytes that must not be nil: the Rust types cannot say that they are.
func fillRequired(value reflect.Value) {
	for i := 0; i < value.NumField(); i++ {
		field, tag := value.Field(i), value.Type().Field(i).Tag.Get("json")
		switch {
		case field.Type().PkgPath() == "time" || !field.CanSet():
		case field.Kind() == reflect.Struct:
			fillRequired(field)
		case field.Kind() == reflect.Pointer && field.Type().Elem().Kind() == reflect.Struct &&
			(!strings.Contains(tag, ",omitempty") || value.Type().Name() == "IPAddressSpec"):
			field.Set(reflect.New(field.Type().Elem()))
			fillRequired(field.Elem())
		case field.Type() == reflect.TypeOf([]byte(nil)) && (tag == "request" || strings.HasPrefix(tag, "stubPKCS10")):
			field.SetBytes([]byte{})
		}
	}
}

// setOptions fills the fields of option structs that our own options have.
func setOptions(value reflect.Value) {
	if value.Kind() == reflect.Pointer {
		value = value.Elem()
	}
	seconds, grace, yes, policy, uid, version := int64(30), int64(5), true, metav1.DeletePropagationForeground, types.UID("the-uid"), "7"
	for field, content := range map[string]any{
		"LabelSelector": "app in (a,b)", "FieldSelector": "metadata.name=x", "ResourceVersion": "5",
		"ResourceVersionMatch": metav1.ResourceVersionMatchNotOlderThan, "TimeoutSeconds": &seconds, "Limit": int64(10),
		"Continue": "token/+=", "AllowWatchBookmarks": true, "SendInitialEvents": &yes,
		"DryRun": []string{"All"}, "FieldManager": "the manager", "FieldValidation": "Strict",
		"Force": &yes, "GracePeriodSeconds": &grace, "PropagationPolicy": &policy,
		"Preconditions": &metav1.Preconditions{UID: &uid, ResourceVersion: &version},
		"Container":     "web", "Follow": true, "Previous": true, "SinceSeconds": &seconds, "Timestamps": true,
		"TailLines": &grace, "LimitBytes": &seconds,
	} {
		if member := value.FieldByName(field); member.IsValid() && member.CanSet() {
			if given := reflect.ValueOf(content); given.Type().AssignableTo(member.Type()) {
				member.Set(given)
			}
		}
	}
}

func fill(record Record, request *http.Request) Record {
	record.Method = request.Method
	record.Path = request.URL.EscapedPath()
	record.Query = request.URL.RawQuery
	record.Accept = request.Header.Get("Accept")
	record.ContentType = request.Header.Get("Content-Type")
	if request.Body != nil {
		var body bytes.Buffer
		if _, err := body.ReadFrom(request.Body); err != nil {
			panic(err)
		}
		record.Body = base64.StdEncoding.EncodeToString(body.Bytes())
	}
	return record
}
