using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Training;

/// <summary>Scores a model over the rows that a task holds back; sums in double, in order.</summary>
public sealed class Evaluator : IDisposable
{
    private readonly Transformer _model;
    private readonly LearningTask _task;
    private readonly BatchShape _shape;
    private readonly BatchRows _rows;
    private readonly TaskScore _score;
    private readonly int _together;
    private readonly BatchBuffers _buffers;
    private readonly Recording _plain;
    private readonly Arithmetic _arithmetic;
    private readonly StepState _state;
    private readonly SharedArena _arena;
    private readonly bool _ownsArena;

    /// <param name="model">Its parameters are in float32.</param>
    /// <param name="task">What is scored; it has rows to validate with. Not disposed here.</param>
    /// <param name="shape">Rows and length of a batch; null for what suits the model's context.</param>
    /// <param name="part">How many of the rows, evenly spaced, evaluations during training take; 0 for all.</param>
    /// <param name="arithmetic">What it computes in.</param>
    /// <param name="arena">Memory shared with what does not run during an evaluation; null for its own.</param>
    public Evaluator(Transformer model, LearningTask task, BatchShape? shape = null, int part = 0, Arithmetic arithmetic = default, SharedArena? arena = null)
        : this(model, task, shape, part, arithmetic, arena, task.NewScore(), [])
    {
    }

    /// <inheritdoc cref="Evaluator(Transformer, LearningTask, BatchShape?, int, Arithmetic, SharedArena?)"/>
    /// <param name="score">In place of the task's own.</param>
    /// <param name="besides">Fields that it reads and the task's own does not.</param>
    /// <param name="together">So many neighbors of the part are taken together: the places of rows that are as many times as long.</param>
    internal Evaluator(Transformer model, LearningTask task, BatchShape? shape, int part, Arithmetic arithmetic, SharedArena? arena, TaskScore score, IEnumerable<BatchField> besides, int together = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(part);
        _model = model;
        _task = task;
        _shape = shape ?? BatchShape.ToEvaluate(model.Config.Context);
        Windows = task.Rows(TaskSplit.Validation, _shape.Time);
        Part = part == 0 ? Windows : Math.Min(part, Windows);
        _arena = arena ?? new SharedArena(model.Backend);
        _ownsArena = arena is null;
        _arithmetic = arithmetic;
        _state = model.Backend.NewState();
        BatchField[] fields = [.. task.Evaluated(_shape.Time), .. besides];
        _rows = new BatchRows(fields, _shape.Rows);
        _score = score;
        _together = together;
        _buffers = new BatchBuffers(model.Backend, fields, _shape.Rows, arithmetic.Type);
        _plain = Recording.Of(model, task, _buffers, arithmetic, _state, taps: null);
    }

    /// <summary>Bytes of the arena that an evaluation needs.</summary>
    public long ArenaBytes => _plain.Plan.ArenaBytes;

    /// <summary>Whether the fixed part is less than all.</summary>
    public bool HasPart => Part < Windows;

    /// <summary>How many rows there are in all.</summary>
    public long Windows { get; }

    /// <summary>How many of them the fixed part has.</summary>
    public long Part { get; }

    /// <summary>Tokens that an evaluation over the fixed part runs through, and one over all.</summary>
    public (long Part, long All) Tokens => (TokensOf(Part), TokensOf(Windows));

    /// <summary>The scores over all rows, or over the fixed part.</summary>
    /// <exception cref="OperationCanceledException">Cancelled between two batches.</exception>
    public Evaluation Run(bool part = false, CancellationToken cancel = default) => Run(_plain, part, cancel);

    /// <summary>The same with points of the model read or edited; the loss under an edit is <c>Run([new Ablate("blocks.1.attn.hook_z")])</c>.</summary>
    /// <param name="taps">Readers are called once a batch; what editors return is what the rest of the model sees.</param>
    /// <param name="part">Over the fixed part only.</param>
    /// <param name="cancel">Looked at between two batches.</param>
    /// <exception cref="UserException">A pattern matches no point of the model.</exception>
    public Evaluation Run(TapSet taps, bool part = false, CancellationToken cancel = default)
    {
        Recording edited = Recording.Of(_model, _task, _buffers, _arithmetic, _state, taps);
        using (edited.Plan)
        {
            return Run(edited, part, cancel);
        }
    }

    /// <inheritdoc cref="Run(TapSet, bool, CancellationToken)"/>
    public Evaluation Run(IEnumerable<ITapEditor> edits, bool part = false, CancellationToken cancel = default) => Run(new TapSet([], edits), part, cancel);

    /// <summary>What an evaluation gives, by name; scores one batch to find it out.</summary>
    public IEnumerable<string> ScoreNames()
    {
        _score.Begin();
        Score(_plain, 0, Windows);
        return _score.Result().Figures.Select(score => score.Name);
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
    internal static (long ArenaBytes, long InputBytes) Needs(Transformer model, LearningTask task, BatchShape shape, DType type)
    {
        using var buffers = new BatchBuffers(model.Backend, task.Inputs(shape.Time), shape.Rows, type);
        using StepState state = model.Backend.NewState();
        using Plan plan = Recording.Of(model, task, buffers, type, state, taps: null).Plan;
        return (plan.ArenaBytes, buffers.Bytes);
    }

    // Whole batches, also where the last has rows without targets.
    private long TokensOf(long rows) => (rows + _shape.Rows - 1) / _shape.Rows * _shape.Places;

    private Evaluation Run(Recording recording, bool part, CancellationToken cancel)
    {
        long taken = part ? Part : Windows;
        _score.Begin();
        for (long first = 0; first < taken; first += _shape.Rows)
        {
            cancel.ThrowIfCancellationRequested();
            Score(recording, first, taken);
        }

        return _score.Result();
    }

    private void Score(Recording recording, long first, long taken)
    {
        _rows.Fill(_task, TaskSplit.Validation, first, taken, Windows, _together);
        _buffers.Upload(_rows);
        _arena.Bind(recording.Plan);
        recording.Plan.Run();
        recording.Download(_model.Backend);
        _score.Add(_rows, recording.Values);
    }

    /// <summary>A forward pass and where it leaves what is scored.</summary>
    private sealed record Recording(Plan Plan, IReadOnlyList<Tensor> Scored, ScoredValues Values)
    {
        public static Recording Of(Transformer model, LearningTask task, BatchBuffers buffers, Arithmetic arithmetic, StepState state, TapSet? taps)
        {
            var tape = new Tape(model.Backend, arithmetic, taps: taps) { State = state };
            IReadOnlyList<Tensor> scored = task.RecordLoss(tape, model, buffers.On(tape)).Scored;
            foreach (Tensor tensor in scored)
            {
                tape.Keep(tensor);
            }

            return new Recording(new Plan(tape), scored, new ScoredValues(scored));
        }

        public void Download(Backend backend)
        {
            for (int i = 0; i < Scored.Count; i++)
            {
                if (Scored[i].Type == DType.Int32)
                {
                    backend.Download(Plan[Scored[i]], Values.Integers(i));
                }
                else
                {
                    backend.Read(Plan[Scored[i]], Values.Reals(i));
                }
            }
        }
    }
}
