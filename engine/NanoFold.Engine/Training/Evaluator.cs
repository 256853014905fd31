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
    private readonly DeviceBuffer _arena;
    private readonly float[] _nats;

    /// <param name="model">Its parameters are in float32.</param>
    /// <param name="all">All windows of the text.</param>
    /// <param name="part">A fixed part of them, for evaluations during training; null for all. Of the same batch and context.</param>
    /// <param name="byteLengths">Bytes of each token of the vocabulary.</param>
    /// <param name="maskDocuments">Whether tokens see their own document only.</param>
    /// <param name="type">Type of the activations.</param>
    public Evaluator(Transformer model, EvaluationSource all, EvaluationSource? part, ReadOnlySpan<int> byteLengths, bool maskDocuments = false, DType type = DType.Float32)
    {
        _model = model;
        _all = all;
        _part = part ?? all;
        _byteLengths = byteLengths.ToArray();
        _buffers = new BatchBuffers(model.Backend, all.Batch, all.Context, maskDocuments);
        var tape = new Tape(model.Backend, model.Store, type);
        (var tokens, var targets, var documents) = _buffers.On(tape);
        _losses = model.RecordLoss(tape, tokens, targets, documents).Losses;
        tape.Keep(_losses);
        _plan = new Plan(tape);
        _arena = model.Backend.Allocate(_plan.ArenaBytes);
        _plan.Bind(_arena);
        _nats = new float[all.Batch * all.Context];
    }

    /// <summary>Whether the fixed part is less than all.</summary>
    public bool HasPart => _part.Windows < _all.Windows;

    /// <summary>The loss over all windows, or over the fixed part.</summary>
    public Evaluation Run(bool part = false)
    {
        EvaluationSource source = part ? _part : _all;
        double sum = 0;
        long count = 0, bytes = 0;
        _model.Backend.State.Set(StepSlot.TargetCount, 1L);
        for (long i = 0; i < source.Batches; i++)
        {
            count += source.Fill(i, _buffers.Tokens, _buffers.Targets, _buffers.Documents);
            _buffers.Upload();
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
        _arena.Dispose();
        _buffers.Dispose();
    }
}
