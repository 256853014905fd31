using NanoFold.Engine.Training;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Engine.Profiling;

/// <summary>Adds the events of steps up to rows: by phase, the longest first.</summary>
internal static class ProfileRows
{
    /// <summary>Ops and parts of the step. Their seconds and what lies between them make the step.</summary>
    public static IReadOnlyList<ProfileRow> Ops(IReadOnlyList<StepRecording> steps, OpGrouping grouping)
        => Rows(steps, kind => kind is EventKind.Op or EventKind.Part, (step, in noted) => EventLabel.Op(step.Tape, noted.Source, grouping));

    /// <summary>Kernels, matrix products by their shape.</summary>
    public static IReadOnlyList<ProfileRow> Kernels(IReadOnlyList<StepRecording> steps)
        => Rows(steps, kind => kind == EventKind.Kernel, (_, in noted) => EventLabel.Kernel(noted));

    private delegate string Label(StepRecording step, in ProfileEvent noted);

    private static ProfileRow[] Rows(IReadOnlyList<StepRecording> steps, Predicate<EventKind> wanted, Label label)
    {
        var labels = new Dictionary<(object, ProductShape), string>();
        var rows = new Dictionary<(StepPhase, string), (long Calls, double Seconds, KernelCost Cost)>();
        foreach (StepRecording step in steps)
        {
            KernelCost[] costs = step.Costs();
            for (int i = 0; i < costs.Length; i++)
            {
                ref readonly ProfileEvent noted = ref step.Events[i];
                if (!wanted(noted.Kind))
                {
                    continue;
                }

                if (!labels.TryGetValue((noted.Source, noted.Shape), out string? name))
                {
                    labels.Add((noted.Source, noted.Shape), name = label(step, noted));
                }

                (StepPhase, string) key = (EventLabel.PhaseOf(step, noted), name);
                (long calls, double seconds, KernelCost cost) = rows.GetValueOrDefault(key);
                rows[key] = (calls + 1, seconds + StepRecording.SecondsOf(noted), cost + costs[i]);
            }
        }

        double total = steps.Sum(step => step.Seconds), n = steps.Count;
        return
        [
            .. rows.Select(row => new ProfileRow(
                    row.Key.Item2, row.Key.Item1, row.Value.Calls / n, row.Value.Seconds / n, row.Value.Seconds / total, row.Value.Cost.Flops / n, row.Value.Cost.Bytes / n))
                .OrderBy(row => row.Phase).ThenByDescending(row => row.Seconds),
        ];
    }
}
