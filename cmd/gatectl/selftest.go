package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"bordergate/cmd/gatectl/doctor"
)

// runSelfTest ends with 1 where the test found something.
func runSelfTest(ctx context.Context, e env, args []string) int {
	const words = "selftest"
	fs := newFlags(e, words)
	config := fs.String("config", "", "the gate's configuration file")
	asJSON := fs.Bool("json", false, "print gated's answer as JSON")
	rest, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	if *config == "" || len(rest) > 0 {
		return unable(e, words, errors.New("name the gate: gatectl selftest --config FILE [--json]"))
	}
	c, err := runningGateOf(ctx, *config)
	if err != nil {
		return unable(e, words, err)
	}
	doc, err := c.post(ctx, "/v1/selftest")
	if err != nil {
		return unable(e, words, err)
	}
	var found struct {
		OK     bool
		Checks []doctor.Check
	}
	if err := json.Unmarshal(doc, &found); err != nil {
		return unable(e, words, fmt.Errorf("read answer of gated: %w", err))
	}
	if *asJSON {
		err = lineEncoder(e).Encode(doc)
	}
	for _, check := range found.Checks {
		if !*asJSON && err == nil {
			_, err = fmt.Fprint(e.Out, checkLine(check))
		}
	}
	switch {
	case err != nil:
		return unable(e, words, err)
	case !found.OK:
		return exitNegative
	}
	return exitDone
}
