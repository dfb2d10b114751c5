package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// runLogLevel asks for the levels, or sets one.
func runLogLevel(ctx context.Context, e env, args []string) int {
	const words = "log level"
	fs := newFlags(e, words)
	config := fs.String("config", "", "the gate's configuration file")
	hold := fs.Duration("for", 10*time.Minute, "how long it holds, at most 24h; 0 ends it")
	asJSON := fs.Bool("json", false, "print the levels as JSON")
	rest, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	if *config == "" || len(rest) != 0 && len(rest) != 2 {
		return unable(e, words, errors.New("gatectl log level [PART debug|info|warn|error] --config FILE [--for 10m]"))
	}
	c, err := runningGateOf(ctx, *config)
	if err != nil {
		return unable(e, words, err)
	}
	var doc json.RawMessage
	if len(rest) == 2 {
		q := url.Values{"part": {rest[0]}, "level": {rest[1]}, "for": {hold.String()}}
		doc, err = c.post(ctx, "/v1/log/level?"+q.Encode())
	} else {
		doc, err = c.get(ctx, "/v1/log/level")
	}
	if err != nil {
		return unable(e, words, err)
	}
	if err := showLevels(e, doc, *asJSON); err != nil {
		return unable(e, words, err)
	}
	return exitDone
}

func showLevels(e env, doc json.RawMessage, asJSON bool) error {
	if asJSON {
		return lineEncoder(e).Encode(doc)
	}
	var s struct {
		Level string
		Parts []struct {
			Part, Level string
			ForS        float64 `json:"for_s"`
		}
		Known []string
	}
	if err := json.Unmarshal(doc, &s); err != nil {
		return fmt.Errorf("read answer of gated: %w", err)
	}
	fmt.Fprintf(e.Out, "all: %s\n", s.Level)
	for _, p := range s.Parts {
		fmt.Fprintf(e.Out, "%s: %s, for %v more\n", p.Part, p.Level, time.Duration(p.ForS*float64(time.Second)).Round(time.Second))
	}
	fmt.Fprintf(e.Err, "parts: %v\n", s.Known)
	return nil
}

func runLogShow(ctx context.Context, e env, args []string) int {
	const words = "log show"
	fs := newFlags(e, words)
	config := fs.String("config", "", "the gate's configuration file")
	rest, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	if *config == "" || len(rest) > 0 {
		return unable(e, words, errors.New("gatectl log show --config FILE"))
	}
	c, err := runningGateOf(ctx, *config)
	if err != nil {
		return unable(e, words, err)
	}
	doc, err := c.get(ctx, "/v1/log")
	var lines []string
	if err == nil {
		err = json.Unmarshal(doc, &lines)
	}
	if err != nil {
		return unable(e, words, err)
	}
	for _, l := range lines {
		fmt.Fprintln(e.Out, l)
	}
	return exitDone
}
