using System.Diagnostics;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs.Evaluations;

/// <summary>Makes a <see cref="DetailedEvaluation"/> of a model: one pass over the rows that are held back, and one for each longer row.</summary>
/// <param name="model">Trained.</param>
/// <param name="config">Its run, resolved.</param>
/// <param name="task">Opened for it.</param>
internal sealed class DetailedEvaluator(Transformer model, RunConfig config, LearningTask task)
{
    // More say no more: the standard error of a mean loss over so many places is less than 0.01 nats.
    private const long MostPlaces = 1L << 18;

    // Of a run's tokens; an evaluation takes about a third of the time of a step.
    private const int ShareOfRun = 8;

    private static readonly int[] s_factors = [1, 2, 4];

    /// <summary>What is computed in.</summary>
    public Arithmetic Arithmetic { get; init; }

    /// <summary>Memory shared with what does not run meanwhile; null for its own.</summary>
    public SharedArena? Arena { get; init; }

    /// <summary>Places evaluated at most, for each length of row; at least one batch is.</summary>
    public long Places { get; init; } = MostPlaces;

    /// <summary>Places that an evaluation at the end of a run may take, which is not to take long beside its steps.</summary>
    /// <param name="tokens">Trained on.</param>
    public static long PlacesOf(long tokens) => Math.Min(MostPlaces, tokens / ShareOfRun);

    /// <summary>Evaluates.</summary>
    /// <param name="step">Steps that the model was trained for.</param>
    /// <param name="cancel">Looked at between two batches.</param>
    public DetailedEvaluation Run(long step, CancellationToken cancel = default)
    {
        long began = Stopwatch.GetTimestamp();
        int context = config.Model.Context;
        int longest = Longest();
        using var arena = new OwnedArena(Arena, model);
        Pass own = Evaluate(model, task, context, longest, [ScoreAxis.Position, .. task.Axes], arena.Shared, cancel);
        ContextEvaluation[] contexts = [.. s_factors.Select(factor => factor == 1 ? ToContext(own, factor, context) : AtContext(factor, longest, arena.Shared, cancel))];
        return new DetailedEvaluation
        {
            Version = DetailedEvaluation.CurrentVersion,
            Step = step,
            Task = config.Task.Kind,
            Name = task.Name,
            Unit = task.Unit.Name,
            Context = context,
            Rows = own.Rows,
            AllRows = own.AllRows,
            Targets = own.Evaluation.Tokens,
            Loss = own.Evaluation.Loss,
            BitsPerByte = BitsPerByte(own),
            Scores = own.Evaluation.Scores ?? [],
            Breakdowns = own.Breakdowns,
            Contexts = contexts,
            Seconds = Stopwatch.GetElapsedTime(began).TotalSeconds,
        };
    }

    // How many times as long the longest rows are that what is held back has places for; of tasks that make rows up for their length, 1. Whatever the model can read: all models of a
    // text are evaluated on the same places.
    private int Longest() => config.Task is TextConfig ? s_factors.LastOrDefault(factor => (long)factor * config.Model.Context <= task.Places(TaskSplit.Validation), 1) : 1;

    private ContextEvaluation AtContext(int factor, int longest, SharedArena arena, CancellationToken cancel)
    {
        long context = (long)factor * config.Model.Context;
        if (context > int.MaxValue)
        {
            return new ContextEvaluation(factor, config.Model.Context) { WhyNot = "rows of so many places cannot be counted" };
        }

        RunConfig longer = LongerRows.Of(config, (int)context);
        try
        {
            if (LongerRows.WhyNot(longer, model, task) is { } reason)
            {
                return new ContextEvaluation(factor, longer.Model.Context) { WhyNot = reason };
            }

            using Transformer copy = LongerRows.Copy(longer, model);
            // Rows of a text may have any length; what is made up is made up for it.
            using LearningTask? opened = config.Task is TextConfig ? null : config.Task.Open(TrainData.ContextOf(longer, cancel: cancel));
            return ToContext(Evaluate(copy, opened ?? task, longer.Model.Context, Math.Max(1, longest / factor), [ScoreAxis.Position], arena, cancel), factor, longer.Model.Context);
        }
        catch (UserException e)
        {
            return new ContextEvaluation(factor, longer.Model.Context) { WhyNot = e.Message };
        }
    }

    // The rows are chosen at the longest length, evenly spaced; at a shorter one they are those that cover the same places, so that losses compare.
    private Pass Evaluate(Transformer evaluated, LearningTask rows, int context, int together, ScoreAxis[] axes, SharedArena arena, CancellationToken cancel)
    {
        BatchShape shape = BatchShape.ToEvaluate(context);
        long longest = (long)context * together, chosen = Math.Max(BatchShape.ToEvaluate((int)Math.Min(longest, int.MaxValue)).Rows, Places / longest);
        int part = (int)Math.Min(int.MaxValue / together, chosen) * together;
        var score = new BreakdownScore(rows.NewScore(), axes, rows is TextTask text ? text.ByteLengths : []);
        using var evaluator = new Evaluator(evaluated, rows, shape, part, Arithmetic, arena, score, rows.FieldsOf(axes, context), together);
        return new Pass(evaluator.Run(part: true, cancel), score.Breakdowns, evaluator.Part, evaluator.Windows);
    }

    private static ContextEvaluation ToContext(Pass pass, int factor, int context) => new(factor, context)
    {
        Loss = pass.Evaluation.Loss,
        BitsPerByte = BitsPerByte(pass),
        Scores = pass.Evaluation.Scores ?? [],
        Targets = pass.Evaluation.Tokens,
        Positions = pass.Breakdowns.FirstOrDefault(breakdown => breakdown.Axis == ScoreAxis.Position.Name),
    };

    private static double? BitsPerByte(Pass pass) => pass.Evaluation.IsText ? pass.Evaluation.BitsPerByte : null;

    private sealed record Pass(Evaluation Evaluation, IReadOnlyList<ScoreBreakdown> Breakdowns, long Rows, long AllRows);

    // Shared where there is one to share, otherwise made for this evaluation.
    private sealed class OwnedArena(SharedArena? given, Transformer model) : IDisposable
    {
        public SharedArena Shared { get; } = given ?? new SharedArena(model.Backend);

        public void Dispose()
        {
            if (given is null)
            {
                Shared.Dispose();
            }
        }
    }
}
