using NanoFold.Engine.Autograd;
using NanoFold.Engine.Runs.Surveys;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs.Interventions;

/// <summary>
/// Ablations of a model that writes: it has no other places to take a mean over or to draw from, so these are rows that its run held back, read once without edits.
/// </summary>
internal static class StoredAblation
{
    // Places that are read.
    private const int Places = 1 << 12;

    /// <summary>The editor: the mean over these places, or at each position what stands there in one of these rows, drawn.</summary>
    /// <exception cref="UserException">What was held back is not there any more, or a point is not of places.</exception>
    public static ITapEditor Of(TrainedModel trained, AblateConfig edit, TableStore tables, Action<string>? note, CancellationToken cancel)
    {
        using SurveyData data = SurveyData.Open(
            trained.Config, trained.HasTokenizer ? trained.Tokenizer : null, new SurveyOptions { Measures = [] }, note, cancel,
            remedy: $"{edit.Mode.ToString().ToLowerInvariant()} is of the run's text: put it back there, or ablate with mode zero");
        (BatchShape shape, int rows) = Intervention.Rows(data, null, Places);
        var made = new Dictionary<string, PointValues>();
        foreach ((string name, PointValues values) in PointValues.Of(trained.Model, data.Task, edit.Points, shape, rows, cancel))
        {
            if (Tap.IsPattern(name))
            {
                throw new UserException($"tap {name}: cannot be edited while decoding with a cache");
            }

            if (values.Shape.Length < 3 || values.Shape[0] != shape.Rows || values.Shape[1] != shape.Time)
            {
                throw new UserException($"tap {name}: is not of places, so that it has no mean over them and none can be drawn");
            }

            made[name] = edit.Mode == AblationKind.Mean ? Mean(values) : Drawn(values, (ulong)edit.Seed);
        }

        string source = FormattableString.Invariant($"{edit.Mode} {edit.Seed} of {data.Name}");
        return edit.Mode == AblationKind.Mean
            ? new SourceEditor.OfPosition(edit.Points, made, source, 0, tables)
            : new SourceEditor.ByPosition(edit.Points, made, source, tables);
    }

    // [1, 1, ..].
    private static PointValues Mean(PointValues values)
    {
        int places = values.Shape[0] * values.Shape[1], width = values.Passes[0].Length / places;
        var sums = new double[width];
        foreach (float[] pass in values.Passes)
        {
            for (int i = 0; i < pass.Length; i++)
            {
                sums[i % width] += pass[i];
            }
        }

        return new PointValues([1, 1, .. values.Shape[2..]], [[.. sums.Select(sum => (float)(sum / ((long)places * values.Passes.Count)))]]);
    }

    // [1, T, ..].
    private static PointValues Drawn(PointValues values, ulong seed)
    {
        (int rows, int time) = (values.Shape[0], values.Shape[1]);
        int width = values.Passes[0].Length / (rows * time);
        var drawn = new float[time * width];
        for (int t = 0; t < time; t++)
        {
            int row = (int)Philox.Below((ulong)rows * (ulong)values.Passes.Count, seed, (ulong)t, 0);
            values.Passes[row / rows].AsSpan((((row % rows) * time) + t) * width, width).CopyTo(drawn.AsSpan(t * width));
        }

        return new PointValues([1, time, .. values.Shape[2..]], [drawn]);
    }
}
