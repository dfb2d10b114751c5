package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A store is a folder or a cluster, and a cluster elsewhere only by TLS.
func TestStoreOfHeadquarters(t *testing.T) {
	const secure = "\nstore_tls: {authority: ca.pem, certificate: hqd.pem, key: hqd.key}"
	for text, want := range map[string]string{
		"store: /var/lib/x": "",
		"store: nats://127.0.0.1:4222,localhost:4223,[::1]:4224":         "",
		"store: nats://192.0.2.1:4222,192.0.2.2:4222" + secure:           "",
		"store: nats://192.0.2.1:4222,192.0.2.2:4222":                    "store sends records to other machines without TLS",
		"store: nats://user:hidden@127.0.0.1:4222":                       "store has a node that is not host:port",
		"store: nats://127.0.0.1:4222,,127.0.0.1:4223":                   "store has a node that is not host:port",
		"store: http://127.0.0.1:4222":                                   "store is neither a folder nor a cluster",
		"store: /var/lib/x" + secure:                                     "store_tls is of no use",
		"store: nats://127.0.0.1\nwork: /var/lib/bordergate-hq/identity": "store is the identity folder too",
		"store: nats://127.0.0.1\nwork: \"\"":                            "work is missing",
		"store: nats://127.0.0.1\nstore_tls: {key: x}":                   "store_tls.authority is missing",
	} {
		file := filepath.Join(t.TempDir(), "hq.yaml")
		if err := os.WriteFile(file, []byte("version: 1\n"+text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, faults := LoadHQ(file)
		err := faults.Err()
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want == "" && (c.Cluster() != "") != strings.Contains(text, "nats://"):
			t.Errorf("%s: cluster %q, folder %q", text, c.Cluster(), c.Folder())
		case want != "" && (err == nil || !strings.Contains(err.Error(), ": "+want) || strings.Contains(err.Error(), "hidden")):
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
