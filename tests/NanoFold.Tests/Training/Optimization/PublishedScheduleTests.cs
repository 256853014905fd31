using System.Globalization;
using NanoFold.Engine.Training;
using NanoFold.Tests.Suites.Published;

namespace NanoFold.Tests.Training.Optimization;

/// <summary>
/// Schedules beside those of transformers and PyTorch. A warm-up of transformers' takes its first step at a rate of 0, ours at that of its second: from the end of
/// the warm-up on the two are one.
/// </summary>
[Category("Published")]
public class PublishedScheduleTests
{
    private const int Steps = 100;

    private static readonly Dictionary<string, LearningRateSchedule> s_cases = new()
    {
        ["cosine_w10_t100"] = new(ScheduleKind.Cosine, Steps, 10, 0, 0),
        ["cosine_w0_t100"] = new(ScheduleKind.Cosine, Steps, 0, 0, 0),
        ["cosine_min0.1_w10_t100"] = new(ScheduleKind.Cosine, Steps, 10, 0.1, 0),
        ["linear_w10_t100"] = new(ScheduleKind.Linear, Steps, 10, 0, 0),
        ["wsd_w10_s70_d20_cosine"] = new(ScheduleKind.Wsd, Steps, 10, 0, 0.2, DecayShape.Cosine),
        ["wsd_w10_s70_d20_1-sqrt"] = new(ScheduleKind.Wsd, Steps, 10, 0, 0.2, DecayShape.Sqrt),
        ["wsd_w10_s70_d20_linear_min0.1"] = new(ScheduleKind.Wsd, Steps, 10, 0.1, 0.2),
        ["inverse_sqrt_w10"] = new(ScheduleKind.InverseSqrt, Steps, 10, 0, 0),
        ["constant_w10"] = new(ScheduleKind.Constant, Steps, 10, 0, 0),
        ["torch_cosine_annealing_T100_min0.1"] = new(ScheduleKind.Cosine, Steps, 0, 0.1, 0),
    };

    private static readonly Dictionary<string, string> s_refused = new()
    {
        ["cosine_restarts3_w10_t100"] = "no restarts",
        ["polynomial_p2_end0.01_w10_t100"] = "no powers",
        ["inverse_sqrt_w10_timescale50"] = "an inverse root begins with the warm-up's end",
        ["torch_onecycle_t101"] = "no single cycle",
    };

    private static IEnumerable<string> Names => SharedData.Find("peers/optimizers/schedules.tsv") is { } path ? File.ReadLines(path).First().Split('\t').Skip(1) : ["none"];

    [TestCaseSource(nameof(Names))]
    public void FactorsAreThePublishedOnes(string name)
    {
        string[][] lines = [.. File.ReadLines(SharedData.Path("peers/optimizers/schedules.tsv")).Select(line => line.Split('\t'))];
        if (s_refused.TryGetValue(name, out string? reason))
        {
            CaseAgreement.Refused("optimizers", $"schedule {name}", reason);
            return;
        }

        int column = Array.IndexOf(lines[0], name), warmup = name.Contains("w10", StringComparison.Ordinal) ? 10 : 0;
        var agreement = new CaseAgreement("optimizers", $"schedule {name}");
        for (int step = warmup; step <= Steps; step++)
        {
            agreement.Near(s_cases[name].At(step), double.Parse(lines[step + 1][column], CultureInfo.InvariantCulture), 1e-12, "factors", $"step {step}");
        }

        agreement.Record();
    }
}
