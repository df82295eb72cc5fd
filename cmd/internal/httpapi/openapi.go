package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"orrery/cmd/internal/api"
)

// document describes the API: from the table of operations and the types of the answers.
func document(version string) *huma.OpenAPI {
	schemas := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info:    &huma.Info{Title: "Orrery", Version: version, Description: "A distributed job scheduler, with Dkron's API"},
		Components: &huma.Components{
			Schemas:         schemas,
			SecuritySchemes: map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}},
		},
		Paths: map[string]*huma.PathItem{},
	}
	problem := schemas.Schema(reflect.TypeFor[api.Problem](), true, "")
	for _, op := range operations {
		item := doc.Paths[op.path]
		if item == nil {
			item = &huma.PathItem{}
			doc.Paths[op.path] = item
		}
		o := &huma.Operation{
			OperationID: op.id, Summary: op.about, Parameters: paramsOf(op), RequestBody: bodyOf(op.body, schemas),
			Responses: map[string]*huma.Response{
				strconv.Itoa(max(op.status, http.StatusOK)): answerOf(op, schemas),
				"default": {Description: "what was wrong, and what would have been accepted", Content: map[string]*huma.MediaType{
					plainText: {Schema: &huma.Schema{Type: huma.TypeString}}, problemType: {Schema: problem},
				}},
			},
		}
		if op.scope > ScopeNone {
			o.Security = []map[string][]string{{"token": {op.scope.String()}}}
		}
		switch op.method {
		case http.MethodGet:
			item.Get = o
		case http.MethodPost:
			item.Post = o
		case http.MethodPut:
			item.Put = o
		case http.MethodPatch:
			item.Patch = o
		case http.MethodDelete:
			item.Delete = o
		}
	}
	doc.Components.Schemas.Map()["JobDefinition"] = definition(schemas)
	return doc
}

func answerOf(op operation, schemas huma.Registry) *huma.Response {
	r := &huma.Response{Description: op.about, Content: map[string]*huma.MediaType{}}
	if op.answer == nil {
		r.Content[op.media] = &huma.MediaType{}
		return r
	}
	schema := schemas.Schema(op.answer, true, "")
	if op.answer.Kind() == reflect.Slice {
		schema.Nullable = false // lists are empty, never null
	}
	r.Content["application/json"] = &huma.MediaType{Schema: schema}
	return r
}

// definition is a job as a client writes it: only the name and the executor are asked for,
// what is unknown is ignored, and what is read only has no place.
func definition(schemas huma.Registry) *huma.Schema {
	whole := schemas.Map()["Job"]
	d := &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{}, Required: []string{"name", "executor"}, AdditionalProperties: true}
	for name, property := range whole.Properties {
		if !property.ReadOnly {
			d.Properties[name] = property
		}
	}
	return d
}

func bodyOf(kind bodyKind, schemas huma.Registry) *huma.RequestBody {
	media, schema := "application/json", &huma.Schema{Ref: "#/components/schemas/JobDefinition"}
	switch kind {
	case bodyNone:
		return nil
	case bodyConfig:
		schema = schemas.Schema(reflect.TypeFor[api.ClusterConfig](), true, "")
	case bodyJobs:
		list := &huma.Schema{Type: huma.TypeArray, Items: schema}
		object := &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{"jobs": list, "prune": {Type: huma.TypeBoolean}}}
		schema = &huma.Schema{OneOf: []*huma.Schema{list, object}}
	case bodyFile:
		media, schema = "multipart/form-data", &huma.Schema{
			Type: huma.TypeObject, Properties: map[string]*huma.Schema{"file": {Type: huma.TypeString, Format: "binary"}}, Required: []string{"file"},
		}
	case bodyStream:
		media, schema = octets, &huma.Schema{Type: huma.TypeString, Format: "binary"}
	}
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{media: {Schema: schema}}}
}

var inPath = regexp.MustCompile(`\{(\w+)\}`)

func paramsOf(op operation) (all []*huma.Param) {
	for _, found := range inPath.FindAllStringSubmatch(op.path, -1) {
		all = append(all, &huma.Param{Name: found[1], In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}})
	}
	for _, p := range op.params {
		described := &huma.Param{Name: p.name, In: "query", Description: p.about, Schema: &huma.Schema{Type: huma.TypeString}}
		switch p.kind {
		case isNumber:
			described.Schema.Type = huma.TypeInteger
		case isFlag:
			described.Schema.Type, described.AllowEmptyValue = huma.TypeBoolean, true
		case isHeader:
			described.In = "header"
		}
		for _, word := range p.words {
			described.Schema.Enum = append(described.Schema.Enum, word)
		}
		all = append(all, described)
	}
	return all
}

func (a *API) openapi(c *call) error {
	text, err := a.document()
	if err != nil {
		return fmt.Errorf("describe the API: %w", err)
	}
	c.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = c.w.Write(text)
	return nil
}

func marshalDocument(version string) ([]byte, error) { return json.Marshal(document(version)) }
