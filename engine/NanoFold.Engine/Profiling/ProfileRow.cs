using NanoFold.Engine.Training;

namespace NanoFold.Engine.Profiling;

/// <summary>What an op or a kernel takes of one training step, as a mean over the steps that count.</summary>
/// <param name="Name">Op, module, node, kernel, or part of the step.</param>
/// <param name="Phase">Where in the step.</param>
/// <param name="Calls">In a step.</param>
/// <param name="Seconds">In a step.</param>
/// <param name="Share">Of the step's time.</param>
/// <param name="Flops">In a step.</param>
/// <param name="Bytes">In a step, see <see cref="Kernels.Profiling.KernelCost"/>.</param>
public sealed record ProfileRow(string Name, StepPhase Phase, double Calls, double Seconds, double Share, double Flops, double Bytes)
{
    public double FlopsPerSecond => Seconds > 0 ? Flops / Seconds : 0;

    public double BytesPerSecond => Seconds > 0 ? Bytes / Seconds : 0;

    /// <summary>Rows together, as one.</summary>
    public static ProfileRow Total(string name, StepPhase phase, IEnumerable<ProfileRow> rows)
    {
        var total = new ProfileRow(name, phase, 0, 0, 0, 0, 0);
        foreach (ProfileRow row in rows)
        {
            total = total with
            {
                Calls = total.Calls + row.Calls,
                Seconds = total.Seconds + row.Seconds,
                Share = total.Share + row.Share,
                Flops = total.Flops + row.Flops,
                Bytes = total.Bytes + row.Bytes,
            };
        }

        return total;
    }
}
