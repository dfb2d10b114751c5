package configs

import (
	"fmt"
	"reflect"
)

// Value is what a gate works with for one key.
type Value struct {
	Path  string
	Value any
}

// GateValues are the values of all keys, in the order of the structs: what the
// file says, and the defaults where it says nothing.
func GateValues(g *Gate) []Value { return appendValues(nil, "", reflect.ValueOf(*g)) }

func appendValues(out []Value, path string, v reflect.Value) []Value {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := f.Tag.Get("yaml")
		switch {
		case name == "":
		case f.Type.Kind() == reflect.Struct:
			out = appendValues(out, join(path, name), v.Field(i))
		default:
			out = append(out, Value{join(path, name), v.Field(i).Interface()})
		}
	}
	return out
}

// Change is a key whose value differs between two files.
type Change struct {
	Path string `json:"path"`
	From string `json:"from"`
	To   string `json:"to"`
}

// DiffGate lists the keys in which two gates differ, whatever their files' form:
// a value written out that is the default is no difference.
func DiffGate(a, b *Gate) []Change {
	var out []Change
	other := GateValues(b)
	for i, v := range GateValues(a) {
		if !reflect.DeepEqual(v.Value, other[i].Value) && fmt.Sprint(v.Value) != fmt.Sprint(other[i].Value) {
			out = append(out, Change{v.Path, Show(v.Value), Show(other[i].Value)})
		}
	}
	return out
}

// Written is where a file says something.
type Written struct{ Line, Column int }

// LoadGatePlaces is LoadGate that also tells where the file says what.
func LoadGatePlaces(path string) (*Gate, map[string]Written, Faults) {
	places := map[string]Written{}
	g, faults := loadWith(path, DefaultGate(), checkGate, func(d *document) {
		for p, at := range d.places {
			places[p] = Written{at.line, at.column}
		}
	})
	return g, places, faults
}
