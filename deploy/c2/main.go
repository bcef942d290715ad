// Command c2d is a permissioned Ethereum chain: CometBFT consensus among the
// validators of the genesis file, with the EVM and JSON-RPC of cosmos/evm.
package main

import (
	"io"
	"os"
	"syscall"

	cmtcfg "github.com/cometbft/cometbft/config"
	"github.com/spf13/cobra"

	"github.com/cosmos/cosmos-sdk/client"
	sdkserver "github.com/cosmos/cosmos-sdk/server"
	svrcmd "github.com/cosmos/cosmos-sdk/server/cmd"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	evmserver "github.com/cosmos/evm/server"
	evmconfig "github.com/cosmos/evm/server/config"
	srvflags "github.com/cosmos/evm/server/flags"
)

const (
	version   = "0.1.0"
	stopAtEOF = "stop-at-eof"
)

func main() {
	root := &cobra.Command{Use: "c2d", Short: "A permissioned EVM chain", SilenceUsage: true, Version: version}
	start := evmserver.StartCmd(evmserver.NewDefaultStartOptions(NewApp, "node"))
	start.PreRunE = inTurn(prepareStart, start.PreRunE)
	start.Flags().Bool(stopAtEOF, false, "end when standard input is closed, so that it never outlives a test run")
	root.AddCommand(testnetCommand(), start)
	if err := svrcmd.Execute(root, "C2D", "node"); err != nil {
		os.Exit(1)
	}
}

type runE = func(*cobra.Command, []string) error

func inTurn(first, second runE) runE {
	return func(cmd *cobra.Command, args []string) error {
		if err := first(cmd, args); err != nil {
			return err
		}
		return second(cmd, args)
	}
}

// prepareStart loads the node's configuration and builds the client that the
// JSON-RPC server uses to query its own node.
func prepareStart(cmd *cobra.Command, _ []string) error {
	if err := sdkserver.InterceptConfigsPreRunHandler(cmd, appConfigTemplate, evmconfig.DefaultConfig(), cmtcfg.DefaultConfig()); err != nil {
		return err
	}
	if stop, _ := cmd.Flags().GetBool(stopAtEOF); stop {
		go endWithInput()
	}
	ctx := sdkserver.GetServerContextFromCmd(cmd)
	enc := newEncoding(ctx.Viper.GetUint64(srvflags.EVMChainID))
	return client.SetCmdClientContext(cmd, client.Context{}.
		WithCodec(enc.Codec).
		WithInterfaceRegistry(enc.InterfaceRegistry).
		WithTxConfig(enc.TxConfig).
		WithLegacyAmino(enc.Amino).
		WithAccountRetriever(authtypes.AccountRetriever{}).
		WithHomeDir(ctx.Config.RootDir))
}

// endWithInput ends this process in good order once nobody holds its standard input.
func endWithInput() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
}
