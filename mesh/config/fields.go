package config

import (
	"encoding"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"time"
)

// field is one setting: a leaf of the struct.
type field struct {
	path  string // "rpc.max_streams": in files, and the flag's name
	doc   string
	value reflect.Value // settable
}

func (f field) env() string {
	return envPrefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(f.path))
}

func (f field) secret() bool { return f.value.Type() == reflect.TypeFor[Secret]() }
func (f field) isMap() bool  { return f.value.Kind() == reflect.Map }

// kind is the type as people call it.
func (f field) kind() string {
	switch t := f.value.Type(); {
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	case f.secret():
		return "secret"
	case t.Kind() == reflect.Slice:
		return "list"
	case t.Kind() == reflect.Map:
		return "map"
	case t.Kind() == reflect.Bool:
		return "switch"
	case f.value.CanInt() || f.value.CanUint() || f.value.CanFloat():
		return "number"
	}
	return "text"
}

// text is the present value, secrets masked and the passwords of URLs too.
func (f field) text() string {
	switch v := f.value.Interface().(type) {
	case []string:
		return strings.Join(v, ",")
	case string:
		return maskURL(v)
	default:
		if f.isMap() && f.value.Len() == 0 {
			return ""
		}
		return fmt.Sprint(v)
	}
}

func maskURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.User == nil {
		if strings.Contains(s, "://") && strings.Contains(s, "@") && err != nil {
			return Mask // a URL that can't be read may still hold a password
		}
		return s
	}
	if _, set := u.User.Password(); !set {
		return s
	}
	u.User = url.User(u.User.Username() + ":" + Mask)
	return strings.Replace(u.String(), "%3A"+strings.ReplaceAll(Mask, "*", "%2A"), ":"+Mask, 1)
}

// fieldsOf lists the settings of a pointer to struct, in the order of the source.
func fieldsOf(dst any) ([]field, error) {
	v := reflect.ValueOf(dst)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("config: %T is not a pointer to a struct", dst)
	}
	fields, err := walk(nil, "", v.Elem())
	if err != nil {
		return nil, err
	}
	seen := map[string]string{}
	for _, f := range fields {
		if other, ok := seen[f.env()]; ok {
			return nil, fmt.Errorf("config: %s and %s share the variable %s", other, f.path, f.env())
		}
		seen[f.env()] = f.path
	}
	return fields, nil
}

func walk(fields []field, prefix string, v reflect.Value) ([]field, error) {
	for i := range v.NumField() {
		t := v.Type().Field(i)
		tag, options, _ := strings.Cut(t.Tag.Get("koanf"), ",")
		switch {
		case tag == "-" || !t.IsExported():
			continue
		case options == "squash":
			tag = ""
		case tag == "":
			return nil, fmt.Errorf("config: field %s.%s has no koanf tag", v.Type(), t.Name)
		}
		path := strings.Trim(prefix+"."+tag, ".")
		if x := v.Field(i); x.Kind() == reflect.Struct && !isText(x) {
			var err error
			if fields, err = walk(fields, path, x); err != nil {
				return nil, err
			}
			continue
		}
		if t.Tag.Get("doc") == "" {
			return nil, fmt.Errorf("config: field %s.%s has no doc tag", v.Type(), t.Name)
		}
		fields = append(fields, field{path, t.Tag.Get("doc"), v.Field(i)})
	}
	return fields, nil
}

func isText(v reflect.Value) bool {
	_, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	return ok
}

// validate calls Validate on every struct that has it, the inner ones first, and says where an error stands.
func validate(prefix string, v reflect.Value) error {
	var errs []error
	for i := range v.NumField() {
		t := v.Type().Field(i)
		tag, _, _ := strings.Cut(t.Tag.Get("koanf"), ",")
		if t.IsExported() && tag != "-" && v.Field(i).Kind() == reflect.Struct {
			errs = append(errs, validate(strings.Trim(prefix+"."+tag, "."), v.Field(i)))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if x, ok := v.Addr().Interface().(interface{ Validate() error }); ok {
		if err := x.Validate(); err != nil {
			if prefix != "" {
				return fmt.Errorf("%s: %w", prefix, err)
			}
			return err
		}
	}
	return nil
}
