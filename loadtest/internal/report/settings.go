package report

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"
)

// settings are the flags of a struct that describes a command line, in their order.
func settings(flags any) []option {
	v := reflect.Indirect(reflect.ValueOf(flags))
	if v.Kind() != reflect.Struct {
		return nil
	}
	var out []option
	for field, value := range v.Fields() {
		switch {
		case !field.IsExported():
		case field.Anonymous:
			out = append(out, settings(value.Interface())...)
		default:
			name := field.Tag.Get("name")
			if name == "" {
				name = flagName(field.Name)
			}
			out = append(out, option{"--" + name, text(value)})
		}
	}
	return out
}

func text(v reflect.Value) string {
	if v.Kind() == reflect.Slice {
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = fmt.Sprint(v.Index(i).Interface())
		}
		return strings.Join(parts, ", ")
	}
	return fmt.Sprint(v.Interface())
}

// flagName is how kong writes a field: AllowRemote is allow-remote.
func flagName(field string) string {
	var out strings.Builder
	for i, r := range field {
		if unicode.IsUpper(r) && i > 0 {
			out.WriteByte('-')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}
