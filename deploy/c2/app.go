package main

import (
	"encoding/json"
	"errors"
	"fmt"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/ethereum/go-ethereum/common"
	"github.com/spf13/cast"

	"cosmossdk.io/log/v2"
	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/baseapp/txnrunner"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/grpc/cmtservice"
	"github.com/cosmos/cosmos-sdk/client/grpc/node"
	sdkserver "github.com/cosmos/cosmos-sdk/server"
	"github.com/cosmos/cosmos-sdk/server/api"
	serverconfig "github.com/cosmos/cosmos-sdk/server/config"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkmempool "github.com/cosmos/cosmos-sdk/types/mempool"
	"github.com/cosmos/cosmos-sdk/types/module"
	sdkante "github.com/cosmos/cosmos-sdk/x/auth/ante"
	authkeeper "github.com/cosmos/cosmos-sdk/x/auth/keeper"
	authtx "github.com/cosmos/cosmos-sdk/x/auth/tx"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	consensuskeeper "github.com/cosmos/cosmos-sdk/x/consensus/keeper"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"

	"github.com/cosmos/evm/encoding"
	evmmempool "github.com/cosmos/evm/mempool"
	evmserver "github.com/cosmos/evm/server"
	srvflags "github.com/cosmos/evm/server/flags"
	"github.com/cosmos/evm/x/feemarket"
	feekeeper "github.com/cosmos/evm/x/feemarket/keeper"
	feetypes "github.com/cosmos/evm/x/feemarket/types"
	"github.com/cosmos/evm/x/vm"
	evmkeeper "github.com/cosmos/evm/x/vm/keeper"
	vmrunner "github.com/cosmos/evm/x/vm/runner"
	evmtypes "github.com/cosmos/evm/x/vm/types"
)

// App is a BaseApp that accepts Ethereum transactions and nothing else. There is
// no module manager: the four stateful modules are driven by hand below.
type App struct {
	*baseapp.BaseApp
	enc       encoding.Config
	accounts  authkeeper.AccountKeeper
	bank      bankkeeper.BaseKeeper
	consensus consensuskeeper.Keeper
	fees      feekeeper.Keeper
	evm       *evmkeeper.Keeper
	feeModule feemarket.AppModule
	evmModule vm.AppModule
	pool      *evmmempool.Mempool
	listeners []func(common.Hash)
}

var _ evmserver.Application = (*App)(nil)

// newEncoding knows the messages and account types of the modules in use.
func newEncoding(chainID uint64) encoding.Config {
	enc := encoding.MakeConfig(chainID)
	authtypes.RegisterInterfaces(enc.InterfaceRegistry)
	banktypes.RegisterInterfaces(enc.InterfaceRegistry)
	feetypes.RegisterInterfaces(enc.InterfaceRegistry)
	evmtypes.RegisterInterfaces(enc.InterfaceRegistry)
	return enc
}

// NewApp wires the keepers, the check of transactions and the application's own pool.
func NewApp(logger log.Logger, db dbm.DB, opts servertypes.AppOptions) evmserver.Application {
	chainID := cast.ToUint64(opts.Get(srvflags.EVMChainID))
	// A package variable that only the (unused) Cosmos fee decorator would set:
	// left empty, the first transaction with a fee panics.
	sdkante.FeeRecipientModule = authtypes.FeeCollectorName
	enc := newEncoding(chainID)
	decoder := enc.TxConfig.TxDecoder()

	base := baseapp.NewBaseApp("c2d", logger, db, decoder, sdkserver.DefaultBaseappOptions(opts)...)
	base.SetVersion(version)
	base.SetInterfaceRegistry(enc.InterfaceRegistry)
	base.SetTxEncoder(enc.TxConfig.TxEncoder())
	app := &App{BaseApp: base, enc: enc}
	places := newStores()
	app.makeKeepers(logger, chainID, places, opts)
	app.registerServices()
	app.MountKVStores(places.kv)
	app.MountObjectStores(places.objects)
	app.setHooks()
	app.SetAnteHandler(app.checkTransaction(cast.ToUint64(opts.Get(srvflags.EVMMaxTxGasWanted))))
	vmrunner.SetRunner(base, txnrunner.NewDefaultRunner(decoder))
	app.usePool(logger, opts)

	if err := app.LoadLatestVersion(); err != nil {
		panic(fmt.Errorf("load state: %w", err))
	}
	// Without this, RPC calls that arrive before the first block after a restart panic.
	app.evmModule.HydrateGlobals(app.NewContextLegacy(true, cmtproto.Header{
		Height: app.LastBlockHeight(), ChainID: app.ChainID()}))
	return app
}

func (app *App) registerServices() {
	services := module.NewConfigurator(app.enc.Codec, app.MsgServiceRouter(), app.GRPCQueryRouter())
	app.feeModule.RegisterServices(services)
	app.evmModule.RegisterServices(services)
	authtypes.RegisterQueryServer(app.GRPCQueryRouter(), authkeeper.NewQueryServer(app.accounts))
	banktypes.RegisterQueryServer(app.GRPCQueryRouter(), app.bank)
	consensustypes.RegisterQueryServer(app.GRPCQueryRouter(), app.consensus)
}

// setHooks says what happens at genesis, and before and after the transactions of a block.
func (app *App) setHooks() {
	app.SetInitChainer(app.initChain)
	app.SetPreBlocker(func(ctx sdk.Context, _ *abci.RequestFinalizeBlock) (*sdk.ResponsePreBlock, error) {
		_, err := app.evmModule.PreBlock(ctx)
		return &sdk.ResponsePreBlock{}, err
	})
	app.SetBeginBlocker(func(ctx sdk.Context) (sdk.BeginBlock, error) {
		err := errors.Join(app.fees.BeginBlock(ctx), app.evm.BeginBlock(ctx))
		return sdk.BeginBlock{Events: ctx.EventManager().ABCIEvents()}, err
	})
	app.SetEndBlocker(func(ctx sdk.Context) (sdk.EndBlock, error) {
		err := errors.Join(app.evm.EndBlock(ctx), app.fees.EndBlock(ctx))
		return sdk.EndBlock{Events: ctx.EventManager().ABCIEvents()}, err
	})
}

func (app *App) initChain(ctx sdk.Context, req *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
	var state map[string]json.RawMessage
	if err := json.Unmarshal(req.AppStateBytes, &state); err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	var accounts authtypes.GenesisState
	app.enc.Codec.MustUnmarshalJSON(state[authtypes.ModuleName], &accounts)
	app.accounts.InitGenesis(ctx, accounts)
	var balances banktypes.GenesisState
	app.enc.Codec.MustUnmarshalJSON(state[banktypes.ModuleName], &balances)
	app.bank.InitGenesis(ctx, &balances)
	app.feeModule.InitGenesis(ctx, app.enc.Codec, state[feetypes.ModuleName])
	app.evmModule.InitGenesis(ctx, app.enc.Codec, state[evmtypes.ModuleName])
	return &abci.ResponseInitChain{Validators: req.Validators}, nil // the genesis set, for ever
}

// The rest satisfies the server's Application interface.

func (app *App) GetMempool() sdkmempool.ExtMempool { return app.pool }

func (app *App) RegisterPendingTxListener(listener func(common.Hash)) {
	app.listeners = append(app.listeners, listener)
}

func (app *App) RegisterAPIRoutes(*api.Server, serverconfig.APIConfig) {} // no REST gateway

func (app *App) RegisterTxService(ctx client.Context) {
	authtx.RegisterTxService(app.GRPCQueryRouter(), ctx, app.Simulate, app.enc.InterfaceRegistry)
}

func (app *App) RegisterTendermintService(ctx client.Context) {
	cmtservice.RegisterTendermintService(ctx, app.GRPCQueryRouter(), app.enc.InterfaceRegistry, app.Query)
}

func (app *App) RegisterNodeService(ctx client.Context, cfg serverconfig.Config) {
	node.RegisterNodeService(ctx, app.GRPCQueryRouter(), cfg, func() int64 {
		return app.CommitMultiStore().EarliestVersion()
	})
}

func (app *App) Close() error {
	return errors.Join(app.pool.Close(), app.BaseApp.Close())
}
