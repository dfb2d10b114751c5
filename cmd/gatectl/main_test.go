package main

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
)

// outcome is what a command printed and how it ended.
type outcome struct {
	status   int
	out, err string
}

func gatectl(t *testing.T, args ...string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	status := dispatch(t.Context(), env{Out: &out, Err: &errs}, commands(), args)
	return outcome{status, out.String(), errs.String()}
}

func TestDispatchTakesTheLongestMatch(t *testing.T) {
	var ran string
	var got []string
	entry := func(words string) command {
		return command{words, "", func(_ context.Context, _ env, args []string) int {
			ran, got = words, args
			return exitNegative
		}}
	}
	list := []command{entry("pass"), entry("pass issue"), entry("passage")}
	for _, c := range []struct {
		args []string
		want string
		rest []string
	}{
		{[]string{"pass", "issue", "x"}, "pass issue", []string{"x"}},
		{[]string{"pass", "verify"}, "pass", []string{"verify"}},
		{[]string{"passage"}, "passage", []string{}},
	} {
		ran = ""
		e := env{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}}
		if status := dispatch(t.Context(), e, list, c.args); status != exitNegative || ran != c.want || !slices.Equal(got, c.rest) {
			t.Errorf("%v ran %q with %v, status %d", c.args, ran, got, status)
		}
	}
}

func TestUsageGoesToStandardError(t *testing.T) {
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{nil, exitUnable, "usage:"},
		{[]string{"nonsense"}, exitUnable, `no command "nonsense"`},
		{[]string{"config"}, exitUnable, "config check"},
		{[]string{"help"}, exitDone, "models fetch"},
	} {
		got := gatectl(t, c.args...)
		if got.status != c.status || got.out != "" || !strings.Contains(got.err, c.says) {
			t.Errorf("gatectl %v = %+v, want status %d saying %q", c.args, got, c.status, c.says)
		}
	}
}

func TestEveryCommandHasWordsAndSummary(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range commands() {
		if len(strings.Fields(c.words)) == 0 || c.summary == "" || c.run == nil || seen[c.words] {
			t.Errorf("poor or repeated command %q: %q", c.words, c.summary)
		}
		seen[c.words] = true
	}
}

func TestParseFlagsAnywhere(t *testing.T) {
	for _, c := range []struct {
		args, rest []string
		json       bool
		ok         bool
	}{
		{[]string{"a", "--json", "b"}, []string{"a", "b"}, true, true},
		{[]string{"--json", "a"}, []string{"a"}, true, true},
		{[]string{"a", "--", "--json"}, []string{"a", "--json"}, false, true},
		{[]string{"--", "-a"}, []string{"-a"}, false, true},
		{nil, nil, false, true},
		{[]string{"a", "--nope"}, nil, false, false},
	} {
		fs := newFlags(env{Err: &bytes.Buffer{}}, "test")
		asJSON := fs.Bool("json", false, "")
		rest, _, ok := parseFlags(fs, c.args)
		if ok != c.ok || *asJSON != c.json || !slices.Equal(rest, c.rest) {
			t.Errorf("%v: rest %v, json %v, ok %v", c.args, rest, *asJSON, ok)
		}
	}
}
