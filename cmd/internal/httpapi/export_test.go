package httpapi

import (
	"sync"

	"github.com/danielgtaylor/huma/v2"
)

// Document is the OpenAPI document as a value.
var Document = sync.OnceValue(func() *huma.OpenAPI { return document("test") })
