package configs

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"time"
)

// Refusal is a change that a running gate does not take up.
type Refusal struct {
	Change
	Why string `json:"why"`
}

const needsRestart = "restart needed"

// reloads are the keys that a running gate takes up. Each rule says why this
// change is not, empty where it is. Whatever is not here is read once, when the
// part it belongs to is opened.
func reloads() map[string]func(from, to any) string {
	always := func(any, any) string { return "" }
	return map[string]func(from, to any) string{
		"models.fmr":                       tighter[float64],
		"policy.cache_max_age":             tighter[time.Duration],
		"policy.kind_max_age.citizen":      tighterLimit,
		"policy.kind_max_age.foreigner":    tighterLimit,
		"policy.kind_max_age.organisation": tighterLimit,
		"policy.pass_types":                fewer,
		"evidence.images":                  always,
		"evidence.retention":               always,
		"journal.crossings":                always,
		"journal.alarms":                   always,
		"journal.telemetry":                always,
		"log.level":                        always,
	}
}

const onlyTighter = "restart needed: a running gate only becomes stricter"

func tighter[N cmp.Ordered](from, to any) string {
	if to.(N) < from.(N) {
		return ""
	}
	return onlyTighter
}

// tighterLimit takes 0 for no limit.
func tighterLimit(from, to any) string {
	if old, now := from.(time.Duration), to.(time.Duration); now > 0 && (old == 0 || now < old) {
		return ""
	}
	return onlyTighter
}

// fewer takes an empty list for all there are.
func fewer(from, to any) string {
	old, now := from.([]string), to.([]string)
	more := slices.ContainsFunc(now, func(t string) bool { return len(old) > 0 && !slices.Contains(old, t) })
	if len(now) == 0 || more {
		return onlyTighter
	}
	return ""
}

// Reloads says whether a running gate takes up changes of a key.
func Reloads(path string) bool { return reloads()[path] != nil }

// Reload is what a gate that works by running makes of a new file: next is
// running with what can be taken up, and each change of the file is in one of
// the lists. None of the three is changed by it.
func Reload(running, file *Gate) (next *Gate, taken []Change, refused []Refusal) {
	out := *running
	rules := reloads()
	into, news := fieldsOf(&out), GateValues(file)
	for i, old := range GateValues(running) {
		now := news[i].Value
		if reflect.DeepEqual(old.Value, now) || fmt.Sprint(old.Value) == fmt.Sprint(now) {
			continue
		}
		c, why := Change{old.Path, Show(old.Value), Show(now)}, needsRestart
		if rule := rules[old.Path]; rule != nil {
			why = rule(old.Value, now)
		}
		if why != "" {
			refused = append(refused, Refusal{c, why})
			continue
		}
		into[i].Set(reflect.ValueOf(now))
		taken = append(taken, c)
	}
	return &out, taken, refused
}

// fieldsOf are the places of GateValues.
func fieldsOf(g *Gate) []reflect.Value { return appendFields(nil, reflect.ValueOf(g).Elem()) }

func appendFields(out []reflect.Value, v reflect.Value) []reflect.Value {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		switch {
		case f.Tag.Get("yaml") == "":
		case f.Type.Kind() == reflect.Struct:
			out = appendFields(out, v.Field(i))
		default:
			out = append(out, v.Field(i))
		}
	}
	return out
}
