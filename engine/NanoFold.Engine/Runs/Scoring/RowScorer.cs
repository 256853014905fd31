using System.Numerics;
using System.Runtime.InteropServices;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs.Scoring;

/// <summary>The probabilities that a model gives to tokens of rows of any lengths up to its context. Rows that are alike in length, one after the other, go through it together.</summary>
public sealed class RowScorer : IDisposable
{
    private readonly Transformer _model;
    private readonly SharedArena _arena;
    private readonly HeadScorer _head;
    private readonly List<ScoredRow> _waiting = [];
    private Pass? _pass;

    /// <param name="model">Causal, with a head over the vocabulary.</param>
    /// <exception cref="UserException">It is not.</exception>
    public RowScorer(Transformer model)
    {
        if (WhyNot(model.Config) is { } reason)
        {
            throw new UserException(reason);
        }

        _model = model;
        _arena = new SharedArena(model.Backend);
        _head = new HeadScorer(model, _arena);
    }

    /// <summary>Why tokens of a model have no probabilities after what stands before them, in a line; null where they have.</summary>
    public static string? WhyNot(ModelConfig config) =>
        config.Inputs > 0 || config.Outputs > 0 ? config.WhyNotDecoded
        : config.Visibility != VisibilityKind.Causal ? $"model.visibility: the model is \"{config.Visibility.ToString().ToLowerInvariant()}\": its tokens see later ones, so that it says nothing of what follows; only causal models do"
        : config.Edits.Any(edit => TapName.Matches(edit.Points, "hook_logits")) ? "model.edits: changes logits, place by place; take that edit out to score tokens"
        : null;

    /// <summary>Scores rows, in their order.</summary>
    /// <param name="rows">Each has at least one place, at most the model's context.</param>
    /// <param name="scored">Gets the scores of each row.</param>
    /// <param name="cancel">Looked at between two batches.</param>
    public void Score(IEnumerable<ScoredRow> rows, RowScores scored, CancellationToken cancel = default)
    {
        _waiting.Clear();
        int time = 0;
        bool hasDocuments = false;
        foreach (ScoredRow row in rows)
        {
            int wanted = TimeOf(row.Tokens.Length, _model.Config.Context);
            if (_waiting.Count > 0 && (wanted != time || row.Documents is not null != hasDocuments || _waiting.Count == BatchShape.ToEvaluate(time).Rows))
            {
                Flush(time, hasDocuments, scored, cancel);
            }

            (time, hasDocuments) = (wanted, row.Documents is not null);
            _waiting.Add(row);
        }

        if (_waiting.Count > 0)
        {
            Flush(time, hasDocuments, scored, cancel);
        }
    }

    public void Dispose()
    {
        _pass?.Dispose();
        _head.Dispose();
        _arena.Dispose();
    }

    /// <summary>The places of a pass for a row of so many: a few lengths only, at most an eighth longer than needed.</summary>
    internal static int TimeOf(int length, int context)
    {
        int step = Math.Max(8, (int)BitOperations.RoundUpToPowerOf2((uint)length) / 16);
        return Math.Min(context, (length + step - 1) / step * step);
    }

    private void Flush(int time, bool hasDocuments, RowScores scored, CancellationToken cancel)
    {
        int rows = Math.Min(BatchShape.ToEvaluate(time).Rows, (int)BitOperations.RoundUpToPowerOf2((uint)_waiting.Count));
        if (_pass is null || !_pass.Fits(rows, time, hasDocuments))
        {
            _pass?.Dispose();
            _pass = new Pass(_model, new BatchShape(rows, time), hasDocuments, _head, _arena);
        }

        _pass.Run(_waiting, scored, cancel);
        _waiting.Clear();
    }

    /// <summary>A batch of one shape.</summary>
    private sealed class Pass : IDisposable
    {
        private readonly BatchShape _shape;
        private readonly bool _hasDocuments;
        private readonly RowTask _task;
        private readonly StreamScore _score;
        private readonly Evaluator _evaluator;

        public Pass(Transformer model, BatchShape shape, bool hasDocuments, HeadScorer head, SharedArena arena)
        {
            (_shape, _hasDocuments) = (shape, hasDocuments);
            _task = new RowTask(shape, hasDocuments);
            _score = new StreamScore(head, _task);
            _evaluator = new Evaluator(model, _task, shape, part: 0, arithmetic: default, arena, _score, []);
        }

        public bool Fits(int rows, int time, bool hasDocuments) => rows <= _shape.Rows && time == _shape.Time && hasDocuments == _hasDocuments;

        public void Run(IReadOnlyList<ScoredRow> rows, RowScores scored, CancellationToken cancel)
        {
            (_task.Given, _score.Scored) = (rows, scored);
            _evaluator.Run(cancel: cancel);
        }

        public void Dispose()
        {
            _evaluator.Dispose();
            _task.Dispose();
        }
    }

    /// <summary>Rows that are given, one batch of them.</summary>
    private sealed class RowTask(BatchShape shape, bool hasDocuments) : LearningTask
    {
        public IReadOnlyList<ScoredRow> Given { get; set; } = [];

        public override string Name => "rows";

        public override IReadOnlyList<BatchField> Fields(int time) =>
            [BatchField.Integers(BatchField.Tokens, 0, time), .. hasDocuments ? [BatchField.OfDocuments(time)] : Array.Empty<BatchField>()];

        public override long Places(TaskSplit split) => shape.Places;

        public override int Fill(in RowKey key, in BatchRow row)
        {
            if (key.Number < Given.Count)
            {
                ScoredRow given = Given[(int)key.Number];
                given.Tokens.CopyTo(row.Integers(BatchField.Tokens));
                given.Documents?.CopyTo(row.Integers(BatchField.Documents));
            }

            return 0;
        }

        // The head is for the places that are asked about.
        public override TaskLoss RecordLoss(Tape tape, Transformer model, BatchTensors batch)
        {
            Tensor stream = RecordBody(tape, model, batch);
            return new TaskLoss(stream, stream);
        }
    }

    /// <summary>Gives the stream of a batch to the head.</summary>
    private sealed class StreamScore(HeadScorer head, RowTask task) : TaskScore
    {
        private readonly List<int> _places = [], _tokens = [];
        private TokenScore[] _scores = [];

        public RowScores Scored { get; set; } = null!;

        public override void Begin()
        {
        }

        public override void Add(BatchRows batch, ScoredValues scored)
        {
            _places.Clear();
            _tokens.Clear();
            int time = batch.Integers(BatchField.Tokens).Length / batch.Rows;
            for (int row = 0; row < task.Given.Count; row++)
            {
                int[] targets = task.Given[row].Targets;
                for (int i = 0; i < targets.Length; i++)
                {
                    if (targets[i] >= 0)
                    {
                        _places.Add((row * time) + i);
                        _tokens.Add(targets[i]);
                    }
                }
            }

            if (_scores.Length < _places.Count)
            {
                _scores = new TokenScore[_places.Count];
            }

            head.Score(scored.Reals(0), CollectionsMarshal.AsSpan(_places), CollectionsMarshal.AsSpan(_tokens), _scores);
            int first = 0;
            foreach (ScoredRow row in task.Given)
            {
                int count = row.Targets.Length - row.Targets.AsSpan().Count(-1);
                Scored(row, _scores.AsSpan(first, count));
                first += count;
            }
        }

        public override Evaluation Result() => default;
    }
}
