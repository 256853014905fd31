using NanoFold.Engine.Data;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Experiments.Baselines;

/// <summary>Makes the baselines of a set of runs: once for each text with its tokenizer and for each task, whatever the number of runs.</summary>
public static class BaselineMaker
{
    // Compressors take about a second a megabyte; more text changes their figures little.
    private const long MostTrainBytes = 4 << 20;
    private const long MostValidationBytes = 1 << 20;

    /// <summary>Makes those that are missing and writes <see cref="BaselineFile.FileName"/>; what is there is kept.</summary>
    /// <param name="folder">Of the set.</param>
    /// <param name="runs">Their configurations, as they were given or as their folders have them.</param>
    /// <param name="note">Told, in a line, what takes time.</param>
    /// <param name="cancel">Ends making them; nothing is written then.</param>
    /// <exception cref="UserException">A text cannot be read, or the file cannot be written.</exception>
    public static BaselineFile Make(string folder, IEnumerable<RunConfig> runs, Action<string>? note = null, CancellationToken cancel = default)
    {
        BaselineFile? before = Before(folder);
        var made = new List<BaselineEntry>();
        bool isNew = before is null;
        foreach (IGrouping<string, RunConfig> alike in runs.Select(run => run.Resolve()).GroupBy(BaselineKey.Of))
        {
            (int Context, long Rows)[] rows = [.. alike.Select(RowsOf).Distinct()];
            BaselineEntry? known = before?.Of(alike.Key);
            bool isKnown = known is not null && (known.NGram is null || rows.All(row => known.NGram.On(row.Context, row.Rows) is not null));
            isNew |= !isKnown;
            made.Add(isKnown ? known! : Make(alike.Key, alike.First(), rows, note, cancel));
        }

        var file = new BaselineFile { Version = BaselineFile.CurrentVersion, Baselines = made };
        if (isNew)
        {
            RecordFile.Write(Path.Combine(folder, BaselineFile.FileName), file);
        }

        return file;
    }

    // One that cannot be read is made again.
    private static BaselineFile? Before(string folder)
    {
        try
        {
            return BaselineFile.Find(folder);
        }
        catch (UserException)
        {
            return null;
        }
    }

    /// <summary>Places of a row and how many rows evaluations of a run on its way take; 0 for all.</summary>
    internal static (int Context, long Rows) RowsOf(RunConfig run)
        => (run.Model.Context, run.Train.EvaluationWindows ?? EvaluationShare.Windows(run.Train, run.Model.Context));

    private static BaselineEntry Make(string key, RunConfig run, (int Context, long Rows)[] rows, Action<string>? note, CancellationToken cancel)
    {
        if (run.Task is TextConfig)
        {
            return OfText(key, run, rows, note, cancel);
        }

        note?.Invoke($"baselines of task {run.Task.Kind} …");
        using LearningTask task = run.Task.Open(TrainData.ContextOf(run, note, cancel));
        return new BaselineEntry
        {
            Key = key, Task = run.Task.Kind, Name = task.Name, Unit = task.Unit.Name, Guessing = task.Guessing(), Best = task.Best(), Simple = [.. task.Baselines()],
        };
    }

    private static BaselineEntry OfText(string key, RunConfig run, (int Context, long Rows)[] rows, Action<string>? note, CancellationToken cancel)
    {
        using TokenDataset dataset = TrainData.Open(run, note, cancel);
        var entry = new BaselineEntry
        {
            Key = key, Task = run.Task.Kind, Name = dataset.Name, Unit = LossUnit.NatsPerToken.Name, Guessing = [new Score("loss", Math.Log(dataset.Tokenizer.Vocab))],
        };
        if (dataset.Validation.Tokens < 2)
        {
            return entry;
        }

        note?.Invoke($"{dataset.Name}: baselines, an n-gram model and compressors …");
        return entry with
        {
            NGram = new TextNGram(dataset, run.Data).Evaluate(rows, cancel),
            Compressors = Compressors.All(TextOf(dataset, dataset.Train, MostTrainBytes, fromEnd: true), TextOf(dataset, dataset.Validation, MostValidationBytes, fromEnd: false), cancel),
        };
    }

    // The bytes of a part of the text, up to a limit; special tokens have none.
    private static byte[] TextOf(TokenDataset dataset, TokenShard shard, long most, bool fromEnd)
    {
        // A token has about as many bytes as the mean of all.
        double perToken = Math.Max(1.0 / 64, (double)shard.TextBytes / Math.Max(1, shard.Tokens));
        var tokens = new int[(int)Math.Min(shard.Tokens, most / perToken)];
        shard.Copy(fromEnd ? shard.Tokens - tokens.Length : 0, tokens);
        return dataset.Tokenizer.Decode(tokens);
    }
}
