package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
)

// Book is what the shelf holds.
type Book struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Title             string `json:"title,omitempty"`
	// AddedBy is the user who put it there, with its groups.
	AddedBy string `json:"addedBy,omitempty"`
}

// BookList is a list of them.
type BookList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Book `json:"items"`
}

// DeepCopyObject makes it an API object.
func (b *Book) DeepCopyObject() runtime.Object {
	out := *b
	out.ObjectMeta = *b.ObjectMeta.DeepCopy()
	return &out
}

// DeepCopyObject makes it an API object.
func (l *BookList) DeepCopyObject() runtime.Object {
	out := *l
	out.ListMeta = *l.ListMeta.DeepCopy()
	out.Items = nil
	for i := range l.Items {
		out.Items = append(out.Items, *l.Items[i].DeepCopyObject().(*Book))
	}
	return &out
}

// OpenAPIModelName is the name of the type in OpenAPI documents.
func (Book) OpenAPIModelName() string { return "com.example.library.v1.Book" }

// OpenAPIModelName is the name of the type in OpenAPI documents.
func (BookList) OpenAPIModelName() string { return "com.example.library.v1.BookList" }

var resource = schema.GroupResource{Group: group, Resource: "books"}

// shelf keeps books by namespace and name.
type shelf struct {
	rest.TableConvertor
	lock        sync.Mutex
	version     int
	books       map[string]*Book
	broadcaster *watch.Broadcaster
}

func newShelf() *shelf {
	return &shelf{
		TableConvertor: rest.NewDefaultTableConvertor(resource),
		books:          map[string]*Book{},
		broadcaster:    watch.NewBroadcaster(100, watch.WaitIfChannelFull),
	}
}

func (s *shelf) New() runtime.Object     { return &Book{} }
func (s *shelf) NewList() runtime.Object { return &BookList{} }
func (s *shelf) Destroy()                { s.broadcaster.Shutdown() }
func (s *shelf) NamespaceScoped() bool   { return true }
func (s *shelf) GetSingularName() string { return "book" }

func key(ctx context.Context, name string) string {
	return genericapirequest.NamespaceValue(ctx) + "/" + name
}

// put stores a book under the next version and tells the watchers.
func (s *shelf) put(key string, book *Book, event watch.EventType) *Book {
	s.version++
	book.ResourceVersion = strconv.Itoa(s.version)
	s.books[key] = book
	_ = s.broadcaster.Action(event, book.DeepCopyObject())
	return book.DeepCopyObject().(*Book)
}

func (s *shelf) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if book, ok := s.books[key(ctx, name)]; ok {
		return book.DeepCopyObject(), nil
	}
	return nil, apierrors.NewNotFound(resource, name)
}

func (s *shelf) List(ctx context.Context, _ *internalversion.ListOptions) (runtime.Object, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	list := &BookList{ListMeta: metav1.ListMeta{ResourceVersion: strconv.Itoa(s.version)}, Items: []Book{}}
	for key, book := range s.books {
		namespace := genericapirequest.NamespaceValue(ctx)
		if namespace == "" || strings.HasPrefix(key, namespace+"/") {
			list.Items = append(list.Items, *book.DeepCopyObject().(*Book))
		}
	}
	return list, nil
}

func (s *shelf) Watch(context.Context, *internalversion.ListOptions) (watch.Interface, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	var before []watch.Event
	for _, book := range s.books {
		before = append(before, watch.Event{Type: watch.Added, Object: book.DeepCopyObject()})
	}
	return s.broadcaster.WatchWithPrefix(before)
}

func (s *shelf) Create(ctx context.Context, object runtime.Object, validate rest.ValidateObjectFunc, _ *metav1.CreateOptions) (runtime.Object, error) {
	book := object.(*Book)
	rest.FillObjectMetaSystemFields(book)
	if err := validate(ctx, object); err != nil {
		return nil, err
	}
	if user, ok := genericapirequest.UserFrom(ctx); ok {
		book.AddedBy = fmt.Sprintf("%s of %s", user.GetName(), strings.Join(user.GetGroups(), ","))
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if _, ok := s.books[key(ctx, book.Name)]; ok {
		return nil, apierrors.NewAlreadyExists(resource, book.Name)
	}
	return s.put(key(ctx, book.Name), book.DeepCopyObject().(*Book), watch.Added), nil
}

func (s *shelf) Update(ctx context.Context, name string, info rest.UpdatedObjectInfo, create rest.ValidateObjectFunc, update rest.ValidateObjectUpdateFunc, force bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	old, err := s.Get(ctx, name, nil)
	if apierrors.IsNotFound(err) && force {
		object, err := info.UpdatedObject(ctx, nil)
		if err != nil {
			return nil, false, err
		}
		created, err := s.Create(ctx, object, create, nil)
		return created, true, err
	}
	if err != nil {
		return nil, false, err
	}
	object, err := info.UpdatedObject(ctx, old)
	if err != nil {
		return nil, false, err
	}
	if err := update(ctx, object, old); err != nil {
		return nil, false, err
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.put(key(ctx, name), object.(*Book), watch.Modified), false, nil
}

func (s *shelf) Delete(ctx context.Context, name string, validate rest.ValidateObjectFunc, _ *metav1.DeleteOptions) (runtime.Object, bool, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	book, ok := s.books[key(ctx, name)]
	if !ok {
		return nil, false, apierrors.NewNotFound(resource, name)
	}
	if err := validate(ctx, book); err != nil {
		return nil, false, err
	}
	delete(s.books, key(ctx, name))
	_ = s.broadcaster.Action(watch.Deleted, book.DeepCopyObject())
	return book, true, nil
}
