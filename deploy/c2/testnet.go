package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	cmtcfg "github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/spf13/cobra"

	sdkconfig "github.com/cosmos/cosmos-sdk/server/config"
	evmconfig "github.com/cosmos/evm/server/config"
)

const appConfigTemplate = sdkconfig.DefaultConfigTemplate + evmconfig.DefaultEVMConfigTemplate

// ports of node i: base+10*i and up.
type ports struct{ p2p, rpc, http, ws int }

func portsOf(base, i int) ports {
	first := base + 10*i
	return ports{p2p: first, rpc: first + 1, http: first + 5, ws: first + 6}
}

// network is what the testnet command writes.
type network struct {
	out             string
	count, basePort int
	blockTime       time.Duration
	spec            genesisSpec
}

func testnetCommand() *cobra.Command {
	var (
		net               network
		funded, deployers []string
	)
	cmd := &cobra.Command{
		Use:   "testnet",
		Short: "Write the home folders of a network on 127.0.0.1",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) (err error) {
			if net.spec.funded, err = parseFunds(funded); err != nil {
				return err
			}
			if net.spec.deployers, err = parseAddresses(deployers); err != nil {
				return err
			}
			if _, err := os.Stat(net.out); err == nil {
				return fmt.Errorf("%s exists", net.out)
			}
			return net.write()
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&net.out, "out", "net", "folder to create")
	flags.IntVar(&net.count, "validators", 4, "number of validators")
	flags.IntVar(&net.basePort, "base-port", 27000, "node i: p2p base+10i, CometBFT RPC +1, JSON-RPC +5, WebSocket +6")
	flags.DurationVar(&net.blockTime, "block-time", 500*time.Millisecond, "pause between blocks")
	flags.Uint64Var(&net.spec.chainID, "evm-chain-id", 4242, "EIP-155 chain id")
	flags.Int64Var(&net.spec.gasLimit, "gas-limit", 30_000_000, "block gas limit")
	flags.StringSliceVar(&funded, "fund", nil, "address=wei to fund at genesis")
	flags.StringSliceVar(&deployers, "deployer", nil, "address that may create contracts; nobody else may")
	return cmd
}

// write makes a home for each validator, with a key of its own and everybody's addresses.
func (n network) write() error {
	var (
		configs    []*cmtcfg.Config
		validators []cmttypes.GenesisValidator
		peers      []string
	)
	for i := range n.count {
		name := fmt.Sprintf("node%d", i)
		cfg := cometConfig(filepath.Join(n.out, name), name, portsOf(n.basePort, i))
		cfg.Consensus.TimeoutCommit = n.blockTime
		validator, peer, err := makeHome(cfg)
		if err != nil {
			return err
		}
		validators, configs = append(validators, validator), append(configs, cfg)
		peers = append(peers, fmt.Sprintf("%s@127.0.0.1:%d", peer, portsOf(n.basePort, i).p2p))
	}
	genesis, err := n.spec.build(validators)
	if err != nil {
		return err
	}
	sdkconfig.SetConfigTemplate(appConfigTemplate)
	for i, cfg := range configs {
		port := portsOf(n.basePort, i)
		cfg.P2P.PersistentPeers = strings.Join(slices.Delete(slices.Clone(peers), i, i+1), ",")
		cmtcfg.WriteConfigFile(filepath.Join(cfg.RootDir, "config", "config.toml"), cfg)
		sdkconfig.WriteConfigFile(filepath.Join(cfg.RootDir, "config", "app.toml"), appConfig(n.spec.chainID, port))
		if err := genesis.SaveAs(cfg.GenesisFile()); err != nil {
			return err
		}
		fmt.Printf("%s http://127.0.0.1:%d\n", cfg.RootDir, port.http)
	}
	return nil
}

// makeHome writes a validator's keys, and returns it with its name among peers.
func makeHome(cfg *cmtcfg.Config) (cmttypes.GenesisValidator, p2p.ID, error) {
	for _, dir := range []string{"config", "data"} {
		if err := os.MkdirAll(filepath.Join(cfg.RootDir, dir), 0o700); err != nil {
			return cmttypes.GenesisValidator{}, "", err
		}
	}
	signer := privval.NewFilePV(ed25519.GenPrivKey(), cfg.PrivValidatorKeyFile(), cfg.PrivValidatorStateFile())
	signer.Save()
	key, err := p2p.LoadOrGenNodeKey(cfg.NodeKeyFile())
	if err != nil {
		return cmttypes.GenesisValidator{}, "", err
	}
	return cmttypes.GenesisValidator{
		Address: signer.GetAddress(), PubKey: signer.Key.PubKey, Power: 1, Name: cfg.Moniker}, key.ID(), nil
}

func cometConfig(home, moniker string, port ports) *cmtcfg.Config {
	cfg := cmtcfg.DefaultConfig().SetRoot(home)
	cfg.Moniker = moniker
	cfg.LogLevel = "info"
	cfg.RPC.ListenAddress = fmt.Sprintf("tcp://127.0.0.1:%d", port.rpc)
	cfg.RPC.PprofListenAddress = ""
	cfg.P2P.ListenAddress = fmt.Sprintf("tcp://127.0.0.1:%d", port.p2p)
	cfg.P2P.AllowDuplicateIP = true
	cfg.P2P.AddrBookStrict = false
	cfg.P2P.PexReactor = false
	cfg.Mempool.Type = cmtcfg.MempoolTypeApp
	cfg.Mempool.ReapInterval = 50 * time.Millisecond
	cfg.Consensus.TimeoutPropose = time.Second
	cfg.Consensus.TimeoutProposeDelta = 200 * time.Millisecond
	cfg.Consensus.TimeoutPrevote = 300 * time.Millisecond
	cfg.Consensus.TimeoutPrecommit = 300 * time.Millisecond
	cfg.Consensus.PeerGossipSleepDuration = 10 * time.Millisecond
	return cfg
}

func appConfig(chainID uint64, port ports) *evmconfig.Config {
	cfg := evmconfig.DefaultConfig()
	cfg.MinGasPrices = "0" + baseDenom
	cfg.Pruning = "nothing"
	cfg.Mempool.MaxTxs = 0
	cfg.API.Enable, cfg.GRPC.Enable, cfg.GRPCWeb.Enable = false, false, false
	cfg.EVM.EVMChainID = chainID
	cfg.JSONRPC.Enable = true
	cfg.JSONRPC.EnableIndexer = true
	cfg.JSONRPC.AllowInsecureUnlock = false
	cfg.JSONRPC.API = []string{"eth", "net", "web3", "txpool", overrideNamespace}
	cfg.JSONRPC.Address = fmt.Sprintf("127.0.0.1:%d", port.http)
	cfg.JSONRPC.WsAddress = fmt.Sprintf("127.0.0.1:%d", port.ws)
	return cfg
}
