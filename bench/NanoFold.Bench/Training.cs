using BenchmarkDotNet.Attributes;
using NanoFold.Engine.Data;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Text;
using NanoFold.Engine.Training;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Bench;

/// <summary>A training step of preset <c>nano</c> on random bytes, on one thread.</summary>
[MemoryDiagnoser]
public class Training
{
    private CpuBackend? _backend;
    private Transformer? _model;
    private Trainer? _trainer;
    private long _step;

    [Params("adamw", "muon")]
    public string Optimizer { get; set; } = "muon";

    [GlobalSetup]
    public void Setup()
    {
        RunConfig preset = Presets.Of("nano");
        RunConfig config = (preset with { Tokenizer = new ByteTokenizerConfig(), Train = preset.Train with { Optimizer = Optimizer == "adamw" ? new AdamWConfig() : new MuonConfig() } }).Resolve().WithVocab(256);
        _backend = new CpuBackend(1);
        _model = new Transformer(config.Model, _backend, seed: 1);
        _trainer = new Trainer(_model, config.Train, new RandomTokens(config.Model.Vocab, seed: 1));
    }

    [Benchmark]
    public void Step() => _trainer!.Step(_step++);

    [GlobalCleanup]
    public void Cleanup()
    {
        _trainer?.Dispose();
        _model?.Dispose();
        _backend?.Dispose();
    }
}
