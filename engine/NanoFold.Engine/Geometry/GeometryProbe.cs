using NanoFold.Engine.Autograd;
using NanoFold.Engine.Data;
using NanoFold.Engine.Model;
using NanoFold.Kernels;

namespace NanoFold.Engine.Geometry;

/// <summary>
/// A fixed set of tokens whose way through a model is measured, layer by layer, in a forward pass of its own: the same tokens at every
/// step, so that changes are the model's. It changes no bit of training.
/// </summary>
public sealed class GeometryProbe : IDisposable
{
    private readonly Transformer _model;
    private readonly BatchBuffers _buffers;
    private readonly LayerReader[] _readers;
    private readonly Plan _plan;
    private readonly DeviceBuffer _arena;

    /// <param name="model">Its parameters are in float32.</param>
    /// <param name="text">Where the probe tokens come from: windows evenly spaced over it.</param>
    /// <param name="name">What messages call the text.</param>
    /// <param name="tokens">About how many.</param>
    /// <param name="type">Type of the activations.</param>
    public GeometryProbe(Transformer model, TokenShard text, string name, int tokens, DType type = DType.Float32)
    {
        _model = model;
        ModelConfig config = model.Config;
        int time = (int)Math.Min(config.Context, text.Tokens - 1), batch = (int)Math.Clamp(tokens / time, 1, text.Tokens / time);
        var source = new EvaluationSource(text, name, batch, time, batch);
        _buffers = new BatchBuffers(model.Backend, batch, time, withDocuments: false);
        source.Fill(0, _buffers.Tokens, _buffers.Targets);
        _buffers.Upload();
        _readers = [.. Enumerable.Range(0, config.Layers).Select(i => new LayerReader(i, config.Width, config.Heads))];
        var tape = new Tape(model.Backend, model.Store, type, taps: new TapSet([.. _readers.SelectMany(r => Points.Select(p => new PointReader(r, p)))]));
        (var ids, _, _) = _buffers.On(tape);
        tape.Keep(model.RecordLogits(tape, ids));
        _plan = new Plan(tape);
        _arena = model.Backend.Allocate(_plan.ArenaBytes);
        _plan.Bind(_arena);
        Tokens = batch * time;
    }

    /// <summary>How many tokens are looked at.</summary>
    public int Tokens { get; }

    private static string[] Points =>
    [
        "hook_resid_pre", "hook_attn_out", "hook_resid_mid", "hook_mlp_out", "hook_resid_post",
        "attn.hook_pattern", "attn.hook_gate", "mlp.hook_expert_load",
    ];

    /// <summary>Measures all layers; with <paramref name="withDimension"/> also the intrinsic dimension, which costs more.</summary>
    public IReadOnlyList<LayerGeometry> Measure(bool withDimension)
    {
        foreach (LayerReader reader in _readers)
        {
            reader.WithDimension = withDimension;
        }

        _plan.Run();
        return [.. _readers.Select(r => r.Take())];
    }

    public void Dispose()
    {
        _plan.Dispose();
        _arena.Dispose();
        _buffers.Dispose();
    }

    /// <summary>One point of one layer: points that nobody names here are not recorded.</summary>
    private sealed class PointReader(LayerReader layer, string point) : ITapReader
    {
        public string Pattern => layer.Prefix + point;

        public void Read(TapValue value) => layer.Read(value);
    }
}
