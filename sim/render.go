package sim

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// renderProto shows the fields of m that are set, by number, nested ones in braces.
func renderProto(m protoreflect.Message) string {
	var b strings.Builder
	fields := m.Descriptor().Fields()
	order := make([]protoreflect.FieldDescriptor, fields.Len())
	for i := range order {
		order[i] = fields.Get(i)
	}
	slices.SortFunc(order, func(a, b protoreflect.FieldDescriptor) int { return int(a.Number()) - int(b.Number()) })
	for _, f := range order {
		if !m.Has(f) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%s", f.Name(), renderField(f, m.Get(f)))
	}
	return b.String()
}

func renderField(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch {
	case f.IsList():
		parts := make([]string, v.List().Len())
		for i := range parts {
			parts[i] = renderValue(f, v.List().Get(i))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case f.IsMap():
		var parts []string
		v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			parts = append(parts, k.String()+":"+renderValue(f.MapValue(), v))
			return true
		})
		slices.Sort(parts)
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return renderValue(f, v)
}

func renderValue(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch f.Kind() {
	case protoreflect.MessageKind:
		return "{" + renderProto(v.Message()) + "}"
	case protoreflect.StringKind:
		return v.String()
	case protoreflect.BytesKind:
		return fmt.Sprintf("%d bytes", len(v.Bytes()))
	}
	return fmt.Sprint(v.Interface())
}

// renderStruct shows the exported fields of a local message that are not zero.
func renderStruct(v reflect.Value) string {
	if v.Kind() != reflect.Struct {
		return fmt.Sprint(v)
	}
	var parts []string
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.IsExported() && !v.Field(i).IsZero() {
			parts = append(parts, f.Name+"="+renderGo(v.Field(i)))
		}
	}
	return strings.Join(parts, " ")
}

func renderGo(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case proto.Message:
		return "{" + renderProto(x.ProtoReflect()) + "}"
	case time.Time:
		return x.UTC().Format("15:04:05.000")
	case time.Duration:
		return x.String()
	case []byte:
		return fmt.Sprintf("%d bytes", len(x))
	}
	switch v.Kind() {
	case reflect.Slice:
		return fmt.Sprintf("%d×%s", v.Len(), v.Type().Elem())
	case reflect.Struct:
		return "{" + renderStruct(v) + "}"
	case reflect.Map, reflect.Func, reflect.Interface, reflect.Pointer:
		return v.Type().String()
	}
	return fmt.Sprint(v)
}
