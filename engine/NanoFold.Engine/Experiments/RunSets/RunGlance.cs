using System.Text;
using System.Text.Json;
using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments;

/// <summary>How far a run is by its folder: what the end of <c>metrics.jsonl</c> says, whoever writes it.</summary>
internal static class RunGlance
{
    // The last step and the last evaluation are usually among the last lines.
    private const int TailBytes = 1 << 14;

    public static RunStatus Of(RunStatus status, RunWork work)
    {
        status = status with { Steps = status.Steps ?? (work.Steps > 0 ? work.Steps : null) };
        var losses = new List<double>();
        foreach (string line in Tail(Path.Combine(status.Folder, RunFolder.MetricsFile)))
        {
            try
            {
                using var json = JsonDocument.Parse(line);
                JsonElement root = json.RootElement;
                status = status with
                {
                    Step = (long)(Number(root, "step") ?? status.Step),
                    Steps = (long?)Number(root, "plannedSteps") ?? status.Steps,
                    ValidationLoss = Number(root, "validationLoss") ?? status.ValidationLoss,
                    TokensPerSecond = Number(root, "tokensPerSecond") ?? status.TokensPerSecond,
                };
                losses.AddRange(Number(root, "loss") is { } loss ? [loss] : []);
            }
            catch (JsonException)
            {
                // Torn, or the tail begins in it.
            }
        }

        return losses.Count == 0 ? status : status with { TrainLoss = losses.TakeLast(RecentLosses.Most).Average() };
    }

    private static string[] Tail(string path)
    {
        try
        {
            if (!File.Exists(path))
            {
                return [];
            }

            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            file.Seek(-Math.Min(file.Length, TailBytes), SeekOrigin.End);
            using var reader = new StreamReader(file, Encoding.UTF8);
            return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            return [];
        }
    }

    private static double? Number(JsonElement root, string key)
        => root.ValueKind == JsonValueKind.Object && root.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : null;
}
