// Command vaultd serves HashiCorp Vault's own core on loopback, for tests and for trying the
// product. It holds what the product uses and nothing else: KV v2, transit, AppRole, the file
// audit device, and raft or in-memory storage. See README.md for what it is not.
//
// Like any Vault it starts sealed and uninitialised; sys/init, sys/unseal and
// sys/storage/raft/join do the rest over HTTP.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	hclog "github.com/hashicorp/go-hclog"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/audit"
	"github.com/hashicorp/vault/builtin/credential/approle"
	"github.com/hashicorp/vault/builtin/logical/transit"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/physical/raft"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

var (
	engines = map[string]logical.Factory{"kv": kv.Factory, "transit": transit.Factory}
	logins  = map[string]logical.Factory{"approle": approle.Factory}
)

// options are the command line.
type options struct {
	listen, cluster, node, data string
	raw, stopAtEOF              bool
}

func main() {
	var o options
	flag.StringVar(&o.listen, "listen", "127.0.0.1:8200", "API address, loopback only")
	flag.StringVar(&o.cluster, "cluster", "127.0.0.1:8201", "raft address, loopback only")
	flag.StringVar(&o.node, "node", "n0", "raft node id")
	flag.StringVar(&o.data, "data", "", "raft directory; empty keeps everything in memory")
	flag.BoolVar(&o.raw, "raw", false, "serve sys/raw, to look at storage in tests")
	flag.BoolVar(&o.stopAtEOF, "stop-at-eof", false, "end when standard input is closed")
	flag.Parse()
	if err := serve(o); err != nil {
		log.Fatal("vaultd: ", err)
	}
}

func serve(o options) error {
	for _, address := range []string{o.listen, o.cluster} {
		if err := requireLoopback(address); err != nil {
			return err
		}
	}
	core, err := newCore(o)
	if err != nil {
		return err
	}
	handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{
		Core:           core,
		ListenerConfig: &configutil.Listener{Address: o.listen},
	})
	if o.data != "" {
		address, err := net.ResolveTCPAddr("tcp", o.cluster)
		if err != nil {
			return err
		}
		core.SetClusterListenerAddrs([]*net.TCPAddr{address})
		core.SetClusterHandler(handler)
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	go stopWhenAsked(core, o.stopAtEOF)
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	return server.Serve(listener)
}

// newCore builds Vault's core on raft, or on memory when there is no directory.
func newCore(o options) (*vault.Core, error) {
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: os.Stderr})
	conf := &vault.CoreConfig{
		DisableMlock:       true,
		Logger:             logger,
		EnableRaw:          o.raw,
		LogicalBackends:    engines,
		CredentialBackends: logins,
		BuiltinRegistry:    registry{},
		AuditBackends:      map[string]audit.Factory{"file": audit.NewFileBackend},
	}
	if o.data == "" {
		storage, err := inmem.NewTransactionalInmem(nil, logger)
		conf.Physical, conf.StorageType = storage, "inmem"
		if err != nil {
			return nil, err
		}
		return vault.NewCore(conf)
	}
	if err := os.MkdirAll(filepath.Join(o.data, "raft"), 0o700); err != nil {
		return nil, err
	}
	// Elections, and becoming a voter after joining, take no longer than a test can wait.
	storage, err := raft.NewRaftBackend(map[string]string{
		"path": o.data, "node_id": o.node, "performance_multiplier": "1",
		"autopilot_reconcile_interval": "500ms", "autopilot_update_interval": "500ms",
	}, logger)
	if err != nil {
		return nil, err
	}
	ha, ok := storage.(physical.HABackend)
	if !ok {
		return nil, errors.New("the raft storage cannot elect a leader")
	}
	conf.Physical, conf.StorageType, conf.HAPhysical = storage, "raft", ha
	conf.RedirectAddr, conf.ClusterAddr = "http://"+o.listen, "https://"+o.cluster
	return vault.NewCore(conf)
}

// requireLoopback refuses to serve unencrypted keys to a network.
func requireLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("%s is not a loopback address", address)
	}
	return nil
}

// stopWhenAsked ends the process at SIGTERM or SIGINT, and with atEOF also when the process that
// holds the other end of standard input is gone, however it died.
func stopWhenAsked(core *vault.Core, atEOF bool) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, syscall.SIGINT)
	if atEOF {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			asked <- syscall.SIGTERM
		}()
	}
	<-asked
	time.AfterFunc(5*time.Second, func() { os.Exit(1) })
	if err := core.Shutdown(); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// registry tells Vault which plugins this binary contains.
type registry struct{}

func (registry) factories(t consts.PluginType) map[string]logical.Factory {
	switch t {
	case consts.PluginTypeSecrets:
		return engines
	case consts.PluginTypeCredential:
		return logins
	default:
		return nil
	}
}

func (r registry) Contains(name string, t consts.PluginType) bool {
	_, ok := r.factories(t)[name]
	return ok
}

func (r registry) Get(name string, t consts.PluginType) (func() (interface{}, error), bool) {
	factory, ok := r.factories(t)[name]
	return func() (interface{}, error) { return factory, nil }, ok
}

func (r registry) Keys(t consts.PluginType) (names []string) {
	for name := range r.factories(t) {
		names = append(names, name)
	}
	return names
}

func (r registry) DeprecationStatus(
	name string, t consts.PluginType,
) (consts.DeprecationStatus, bool) {
	return consts.Supported, r.Contains(name, t)
}

func (registry) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }
