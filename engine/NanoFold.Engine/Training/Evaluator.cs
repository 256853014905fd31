using NanoFold.Engine.Autograd;
using NanoFold.Engine.Data;
using NanoFold.Engine.Model;
using NanoFold.Kernels;

namespace NanoFold.Engine.Training;

/// <summary>Measures the loss of a model over the windows of an <see cref="EvaluationSource"/>; sums in double, in order.</summary>
public sealed class Evaluator : IDisposable
{
    private readonly Transformer _model;
    private readonly EvaluationSource _all;
    private readonly EvaluationSource _part;
    private readonly int[] _byteLengths;
    private readonly BatchBuffers _buffers;
    private readonly Plan _plan;
    private readonly Tensors.Tensor _losses;
    private readonly SharedArena _arena;
    private readonly bool _ownsArena;
    private readonly float[] _nats;

    /// <param name="model">Its parameters are in float32.</param>
    /// <param name="all">All windows of the text.</param>
    /// <param name="part">A fixed part of them, for evaluations during training; null for all. Of the same batch and context.</param>
    /// <param name="byteLengths">Bytes of each token of the vocabulary.</param>
    /// <param name="maskDocuments">Whether tokens see their own document only.</param>
    /// <param name="type">Type of the activations.</param>
    /// <param name="arena">Memory shared with what does not run during an evaluation; null for its own.</param>
    public Evaluator(
        Transformer model, EvaluationSource all, EvaluationSource? part, ReadOnlySpan<int> byteLengths, bool maskDocuments = false, DType type = DType.Float32, SharedArena? arena = null)
    {
        _model = model;
        _all = all;
        _part = part ?? all;
        _byteLengths = byteLengths.ToArray();
        _arena = arena ?? new SharedArena(model.Backend);
        _ownsArena = arena is null;
        (_plan, _buffers, _losses) = Record(model, all.Batch, all.Context, maskDocuments, type);
        _nats = new float[all.Batch * all.Context];
    }

    /// <summary>Bytes of the arena that an evaluation needs.</summary>
    public long ArenaBytes => _plan.ArenaBytes;

    /// <summary>Whether the fixed part is less than all.</summary>
    public bool HasPart => _part.Windows < _all.Windows;

    /// <summary>The loss over all windows, or over the fixed part.</summary>
    /// <exception cref="OperationCanceledException">Cancelled between two batches.</exception>
    public Evaluation Run(bool part = false, CancellationToken cancel = default)
    {
        EvaluationSource source = part ? _part : _all;
        double sum = 0;
        long count = 0, bytes = 0;
        _model.Backend.State.Set(StepSlot.TargetCount, 1L);
        for (long i = 0; i < source.Batches; i++)
        {
            cancel.ThrowIfCancellationRequested();
            count += source.Fill(i, _buffers.Tokens, _buffers.Targets, _buffers.Documents);
            _buffers.Upload();
            _arena.Bind(_plan);
            _plan.Run();
            _model.Backend.Download(_plan[_losses], _nats.AsSpan());
            for (int n = 0; n < _nats.Length; n++)
            {
                int target = _buffers.Targets[n];
                if (target >= 0)
                {
                    sum += _nats[n];
                    bytes += _byteLengths[target];
                }
            }
        }

        return new Evaluation(sum / count, sum / (Math.Log(2) * bytes), count, bytes);
    }

    public void Dispose()
    {
        _plan.Dispose();
        _buffers.Dispose();
        if (_ownsArena)
        {
            _arena.Dispose();
        }
    }

    /// <summary>Bytes of the arena, and of the device besides, of evaluations of this shape.</summary>
    internal static (long ArenaBytes, long InputBytes) Needs(Transformer model, int batch, int context, bool maskDocuments, DType type)
    {
        (Plan plan, BatchBuffers buffers, _) = Record(model, batch, context, maskDocuments, type);
        using (plan)
        using (buffers)
        {
            return (plan.ArenaBytes, buffers.Bytes);
        }
    }

    private static (Plan Plan, BatchBuffers Buffers, Tensors.Tensor Losses) Record(Transformer model, int batch, int context, bool maskDocuments, DType type)
    {
        var buffers = new BatchBuffers(model.Backend, batch, context, maskDocuments);
        var tape = new Tape(model.Backend, model.Store, type);
        (var tokens, var targets, var documents) = buffers.On(tape);
        Tensors.Tensor losses = model.RecordLoss(tape, tokens, targets, documents).Losses;
        tape.Keep(losses);
        return (new Plan(tape), buffers, losses);
    }
}
