package configs

import (
	"net"
	"net/url"
	"strings"
)

// StoreTLS is how a process of headquarters and the nodes of its cluster know
// one another: PEM files.
type StoreTLS struct {
	Authority   string `yaml:"authority"`   // that certifies the nodes
	Certificate string `yaml:"certificate"` // of this process
	Key         string `yaml:"key"`         // to it
}

// Cluster is the address of the cluster that keeps the store, empty where the
// store is a folder.
func (c *HQ) Cluster() string {
	if strings.Contains(c.Store, "://") {
		return c.Store
	}
	return ""
}

// Folder is where the process keeps what is its own: the store itself, or with
// a cluster what can be made anew.
func (c *HQ) Folder() string {
	if c.Cluster() != "" {
		return c.Work
	}
	return c.Store
}

func checkStore(c *HQ, d *document) {
	t := c.StoreTLS
	secure := t != (StoreTLS{})
	if secure {
		d.filled("store_tls.authority", t.Authority)
		d.filled("store_tls.certificate", t.Certificate)
		d.filled("store_tls.key", t.Key)
	}
	if !d.filled("store", c.Store) {
		return
	}
	if c.Cluster() == "" {
		if secure {
			d.fault("store_tls", "is of no use", "a folder needs no TLS: remove the key, or name a cluster")
		}
		return
	}
	d.filled("work", c.Work)
	nodes, plain := strings.CutPrefix(c.Store, "nats://")
	if !plain {
		d.fault("store", "is neither a folder nor a cluster", "such as nats://192.0.2.1:4222,192.0.2.2:4222,192.0.2.3:4222")
		return
	}
	for n := range strings.SplitSeq(nodes, ",") {
		u, err := url.Parse("nats://" + n)
		if err != nil || u.Hostname() == "" || u.User != nil || u.Path != "" {
			d.hide("store") // it may hold a password
			d.fault("store", "has a node that is not host:port", "such as nats://192.0.2.1:4222,192.0.2.2:4222,192.0.2.3:4222, without names and passwords")
			return
		}
		if ip := net.ParseIP(u.Hostname()); !secure && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
			d.fault("store", "sends records to other machines without TLS", "give store_tls its authority, certificate and key")
			return
		}
	}
}
