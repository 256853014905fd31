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
    private readonly Recording _plain;
    private readonly Arithmetic _arithmetic;
    private readonly StepState _state;
    private readonly SharedArena _arena;
    private readonly bool _ownsArena;
    private readonly float[] _nats;

    /// <param name="model">Its parameters are in float32.</param>
    /// <param name="all">All windows of the text.</param>
    /// <param name="part">A fixed part of them, for evaluations during training; null for all. Of the same batch and context.</param>
    /// <param name="byteLengths">Bytes of each token of the vocabulary.</param>
    /// <param name="maskDocuments">Whether tokens see their own document only.</param>
    /// <param name="arithmetic">What it computes in.</param>
    /// <param name="arena">Memory shared with what does not run during an evaluation; null for its own.</param>
    public Evaluator(
        Transformer model, EvaluationSource all, EvaluationSource? part, ReadOnlySpan<int> byteLengths, bool maskDocuments = false, Arithmetic arithmetic = default, SharedArena? arena = null)
    {
        _model = model;
        _all = all;
        _part = part ?? all;
        _byteLengths = byteLengths.ToArray();
        _arena = arena ?? new SharedArena(model.Backend);
        _ownsArena = arena is null;
        _arithmetic = arithmetic;
        _state = model.Backend.NewState();
        _buffers = new BatchBuffers(model.Backend, all.Batch, all.Context, maskDocuments);
        _plain = Recording.Of(model, _buffers, arithmetic, _state, taps: null);
        _nats = new float[all.Batch * all.Context];
    }

    /// <summary>Bytes of the arena that an evaluation needs.</summary>
    public long ArenaBytes => _plain.Plan.ArenaBytes;

    /// <summary>Whether the fixed part is less than all.</summary>
    public bool HasPart => _part.Windows < _all.Windows;

    /// <summary>How many windows there are in all.</summary>
    public long Windows => _all.Windows;

    /// <summary>Tokens that an evaluation over the fixed part runs through, and one over all.</summary>
    public (long Part, long All) Tokens => (TokensOf(_part), TokensOf(_all));

    /// <summary>The loss over all windows, or over the fixed part.</summary>
    /// <exception cref="OperationCanceledException">Cancelled between two batches.</exception>
    public Evaluation Run(bool part = false, CancellationToken cancel = default) => Run(_plain, part, cancel);

    /// <summary>The same with points of the model read or edited; the loss under an edit is <c>Run([new Ablate("blocks.1.attn.hook_z")])</c>.</summary>
    /// <param name="taps">Readers are called once a batch; what editors return is what the rest of the model sees.</param>
    /// <param name="part">Over the fixed part only.</param>
    /// <param name="cancel">Looked at between two batches.</param>
    /// <exception cref="UserException">A pattern matches no point of the model.</exception>
    public Evaluation Run(TapSet taps, bool part = false, CancellationToken cancel = default)
    {
        Recording edited = Recording.Of(_model, _buffers, _arithmetic, _state, taps);
        using (edited.Plan)
        {
            return Run(edited, part, cancel);
        }
    }

    /// <inheritdoc cref="Run(TapSet, bool, CancellationToken)"/>
    public Evaluation Run(IEnumerable<ITapEditor> edits, bool part = false, CancellationToken cancel = default) => Run(new TapSet([], edits), part, cancel);

    private Evaluation Run(Recording recording, bool part, CancellationToken cancel)
    {
        EvaluationSource source = part ? _part : _all;
        double sum = 0;
        long count = 0, bytes = 0;
        for (long i = 0; i < source.Batches; i++)
        {
            cancel.ThrowIfCancellationRequested();
            count += source.Fill(i, _buffers.Tokens, _buffers.Targets, _buffers.Documents);
            _buffers.Upload();
            _arena.Bind(recording.Plan);
            recording.Plan.Run();
            _model.Backend.Download(recording.Plan[recording.Losses], _nats.AsSpan());
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
        _plain.Plan.Dispose();
        _buffers.Dispose();
        _state.Dispose();
        if (_ownsArena)
        {
            _arena.Dispose();
        }
    }

    /// <summary>Bytes of the arena, and of the device besides, of evaluations of this shape.</summary>
    internal static (long ArenaBytes, long InputBytes) Needs(Transformer model, int batch, int context, bool maskDocuments, DType type)
    {
        using var buffers = new BatchBuffers(model.Backend, batch, context, maskDocuments);
        using StepState state = model.Backend.NewState();
        using Plan plan = Recording.Of(model, buffers, type, state, taps: null).Plan;
        return (plan.ArenaBytes, buffers.Bytes);
    }

    // Whole batches, also where the last has rows without targets.
    private static long TokensOf(EvaluationSource source) => source.Batches * source.Batch * source.Context;

    /// <summary>A forward pass and where it leaves each token's nats.</summary>
    private sealed record Recording(Plan Plan, Tensors.Tensor Losses)
    {
        public static Recording Of(Transformer model, BatchBuffers buffers, Arithmetic arithmetic, StepState state, TapSet? taps)
        {
            var tape = new Tape(model.Backend, arithmetic, taps: taps) { State = state };
            (var tokens, var targets, var documents) = buffers.On(tape);
            Tensors.Tensor losses = model.RecordLoss(tape, tokens, targets, documents).Losses;
            tape.Keep(losses);
            return new Recording(new Plan(tape), losses);
        }
    }
}
