using System.Text.Json.Nodes;
using NanoFold.Engine.Mixers;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>The key <c>time_step_limit</c> of models with Mamba-2: the shortest and the longest step.</summary>
internal static class StepLimits
{
    private const string Key = "time_step_limit";

    /// <summary>The two; 0 where there is no longest step. Steps are positive, so that a negative shortest one means nothing.</summary>
    public static (double Least, double Most) Read(ForeignConfig keys)
    {
        double[] limits = keys.Numbers(Key) ?? [0, double.PositiveInfinity];
        return limits is [{ } least, { } most] && double.IsFinite(least) && most > 0 && least <= most
            ? (Math.Max(0, least), most >= float.MaxValue ? 0 : most)
            : throw keys.Fault(Key, "expected the shortest and the longest step");
    }

    /// <summary>The key of a mixer of ours, where it has limits.</summary>
    public static void Write(Mamba2Config mixer, JsonObject keys)
    {
        if (mixer.StepMin > 0 || mixer.StepMax > 0)
        {
            // Without the key steps are of any length; the largest float stands for infinity, which JSON has no word for.
            keys[Key] = new JsonArray(mixer.StepMin, mixer.StepMax > 0 ? mixer.StepMax : (double)float.MaxValue);
        }
    }
}
