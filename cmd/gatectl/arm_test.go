package main

import (
	"strings"
	"testing"
)

func TestArm(t *testing.T) {
	config := stoppedGate(t)
	if got := gatectl(t, "arm", "--by", "tech-7", "--config", config); got.status != exitUnable || !strings.Contains(got.err, "does not run") {
		t.Errorf("a stopped gate: status %d, %s", got.status, got.err)
	}
	runningGate(t, config, map[string]string{
		"GET /v1/armed":                     `{"armed":false}`,
		"POST /v1/armed?by=tech-7&on=true":  `{"armed":true,"by":"tech-7"}`,
		"POST /v1/armed?by=tech-7&on=false": `{"armed":false,"by":"tech-7"}`,
		"POST /v1/armed?by=&on=true":        `503 {"error":"say who does it"}`,
	})
	for name, c := range map[string]struct {
		args, out, err string
		status         int
	}{
		"armed":     {"--by tech-7", "{\"armed\":true,\"by\":\"tech-7\"}\n", "", exitDone},
		"off":       {"--by tech-7 --off", "{\"armed\":false,\"by\":\"tech-7\"}\n", "", exitDone},
		"shown":     {"--show", "{\"armed\":false}\n", "", exitNegative},
		"by nobody": {"", "", "say who does it", exitUnable},
		"a word":    {"lane-1 --by tech-7", "", "name the gate", exitUnable},
	} {
		t.Run(name, func(t *testing.T) {
			got := gatectl(t, strings.Fields("arm --json --config "+config+" "+c.args)...)
			if got.status != c.status || got.out != c.out || !strings.Contains(got.err, c.err) {
				t.Errorf("status %d, out %q, err %q", got.status, got.out, got.err)
			}
		})
	}
}
