using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Geometry.Network;

/// <summary>The head over the vocabulary applied to given values: what the model says of them, as ln p [V] a row.</summary>
internal sealed class HeadPass : IDisposable
{
    // Logits of a pass at most, in elements.
    private const int MostElements = 1 << 22, MostRows = 256;

    private readonly Backend _backend;
    private readonly DeviceBuffer _buffer;
    private readonly View _input;
    private readonly SharedArena _arena;
    private readonly (Plan Plan, Tensor Logits) _ofStream;
    private readonly (Plan Plan, Tensor Logits) _ofNormed;
    private readonly int _width;
    private readonly float[] _logits;

    /// <param name="model">It has a head over a vocabulary.</param>
    public HeadPass(Transformer model)
    {
        (_backend, _width, Vocab) = (model.Backend, model.Config.Width, model.Config.Vocab);
        Rows = Math.Clamp(MostElements / Vocab, 1, MostRows);
        _buffer = _backend.Allocate((long)Rows * _width * sizeof(float));
        _input = new View(_buffer, 0, Layout.Of(1, Rows, _width), DType.Float32);
        _arena = new SharedArena(_backend);
        _ofStream = Record(model, model.Body.LastNorm);
        _ofNormed = Record(model, (_, x) => x);
        _logits = new float[Rows * Vocab];
    }

    /// <summary>The most rows of one call.</summary>
    public int Rows { get; }

    /// <summary>V.</summary>
    public int Vocab { get; }

    /// <summary>ln p [count, V] of rows [count, C].</summary>
    /// <param name="rows">At most <see cref="Rows"/> of them.</param>
    /// <param name="isNormed">Whether the last norm gave them; otherwise they are of the stream, and the norm comes first.</param>
    /// <param name="logs">Where it goes.</param>
    public void Run(ReadOnlySpan<float> rows, bool isNormed, Span<double> logs)
    {
        int count = rows.Length / _width;
        _backend.Upload(rows, _input.With(Layout.Of(count, _width)));
        (Plan plan, Tensor logits) = isNormed ? _ofNormed : _ofStream;
        _arena.Bind(plan);
        plan.Run();
        Span<float> values = _logits.AsSpan(0, count * Vocab);
        _backend.Read(plan[logits].With(Layout.Of(count, Vocab)), values);
        for (int row = 0; row < count; row++)
        {
            TokenDistributions.LogSoftmax(values.Slice(row * Vocab, Vocab), logs.Slice(row * Vocab, Vocab));
        }
    }

    public void Dispose()
    {
        _ofStream.Plan.Dispose();
        _ofNormed.Plan.Dispose();
        _arena.Dispose();
        _buffer.Dispose();
    }

    private (Plan Plan, Tensor Logits) Record(Transformer model, Func<Tape, Tensor, Tensor> norm)
    {
        var tape = new Tape(_backend);
        Tensor logits = model.Language.Logits(tape, norm(tape, tape.External("rows", _input)));
        tape.Keep(logits);
        return (new Plan(tape), logits);
    }
}
