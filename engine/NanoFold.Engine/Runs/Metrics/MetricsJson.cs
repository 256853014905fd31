using System.Text.Json;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs.Metrics;

/// <summary>
/// The lines of <see cref="RunFolder.MetricsFile"/>, one a step that is logged and one an evaluation, and of <see cref="RunFolder.SamplesFile"/>. All that is
/// written there is written here.
/// </summary>
/// <param name="log">Where lines go.</param>
/// <param name="flopsPerToken">Of the model, forward and backward.</param>
/// <param name="clip">The largest gradient norm; 0 for no clipping.</param>
internal sealed class MetricsJson(JsonLinesLog log, long flopsPerToken, double clip)
{
    /// <summary>A step.</summary>
    /// <param name="place">How far the run is.</param>
    /// <param name="result">What the step gave.</param>
    /// <param name="tokensPerSecond">Smoothed.</param>
    /// <param name="lossScale">The factor on the loss's gradient, null where it is not scaled.</param>
    /// <param name="expertLoads">What each router sent where; none without routers.</param>
    public void AppendStep(RunPlace place, in StepResult result, double tokensPerSecond, double? lossScale, IReadOnlyList<ExpertLoad> expertLoads)
        => log.Append((place, result, tokensPerSecond, lossScale, expertLoads, flopsPerToken, clip), static (json, state) =>
        {
            WritePlace(json, state.place, state.flopsPerToken);
            // A step whose gradients overflowed was skipped.
            if (state.result.IsFinite)
            {
                json.WriteFigure("loss"u8, state.result.Loss);
                for (int i = 0; i < state.result.Terms.Count; i++)
                {
                    (string key, double term) = state.result.Terms[i];
                    json.WriteFigure(key, term);
                }

                json.WriteFigure("gradientNorm"u8, state.result.GradientNorm);
                json.WriteBoolean("clipped"u8, state.clip > 0 && state.result.GradientNorm > state.clip);
            }
            else
            {
                json.WriteBoolean("skipped"u8, true);
            }

            if (state.lossScale is { } scale)
            {
                json.WriteFigure("lossScale"u8, scale);
            }

            json.WriteFigure("learningRate"u8, state.result.LearningRate);
            for (int i = 0; i < state.result.OwnRates.Count; i++)
            {
                json.WriteFigure(state.result.OwnRates[i].Key, state.result.OwnRates[i].Value);
            }

            json.WriteFigure("tokensPerSecond"u8, Math.Round(state.tokensPerSecond, 1));
            WriteLoads(json, state.expertLoads);
        });

    /// <summary>An evaluation: on the windows that every evaluation of the run takes, and at its end on all of them.</summary>
    /// <param name="place">How far the run is.</param>
    /// <param name="evaluation">On those windows.</param>
    /// <param name="full">On all, or null.</param>
    /// <param name="drift">How far the weights are from those that the run began with, relative to these; null where it began with none.</param>
    public void AppendEvaluation(RunPlace place, Evaluation evaluation, Evaluation? full, double? drift = null)
        => log.Append((place, evaluation, full, drift, flopsPerToken), static (json, state) =>
        {
            WritePlace(json, state.place, state.flopsPerToken);
            WriteScores(json, "validation", state.evaluation);
            if (state.full is { } full)
            {
                WriteScores(json, "fullValidation", full);
            }

            if (state.drift is { } drift)
            {
                json.WriteFigure("drift"u8, drift);
            }
        });

    /// <summary>A plan that was fitted to the time.</summary>
    public void AppendPlan(RunPlace place, FittedPlan plan) => log.Append((place, plan, flopsPerToken), static (json, state) =>
    {
        WritePlace(json, state.place, state.flopsPerToken);
        json.WriteFigure("plannedSteps"u8, state.plan.Steps);
        json.WriteFigure("evaluateEvery"u8, state.plan.EvaluateEvery);
    });

    /// <summary>The plans of a log that were fitted after a step.</summary>
    public static IReadOnlyList<FittedPlan> ReadPlans(string path, long after) =>
    [
        .. from line in JsonLinesLog.Read(path)
           let step = Number(line, "step")
           let steps = Number(line, "plannedSteps")
           let every = Number(line, "evaluateEvery")
           where step > after && steps >= step && steps <= int.MaxValue && every is > 0 and <= int.MaxValue
           select new FittedPlan(step.Value, (int)steps.Value, (int)every.Value),
    ];

    /// <summary>A sample, into a log of its own.</summary>
    public static void AppendSample(JsonLinesLog log, long step, string prompt, string text)
        => log.Append((step, prompt, text), static (json, state) =>
        {
            json.WriteFigure("step"u8, state.step);
            json.WriteString("prompt"u8, state.prompt);
            json.WriteString("text"u8, state.text);
        });

    private static void WritePlace(Utf8JsonWriter json, RunPlace place, long flopsPerToken)
    {
        json.WriteFigure("step"u8, place.Step);
        json.WriteFigure("elapsedSeconds"u8, Math.Round(place.ElapsedSeconds, 3));
        json.WriteFigure("tokens"u8, place.Tokens);
        json.WriteFigure("flops"u8, (double)flopsPerToken * place.Tokens);
    }

    private static void WriteScores(Utf8JsonWriter json, string prefix, Evaluation evaluation)
    {
        foreach (Score score in evaluation.Figures)
        {
            json.WriteFigure(score.After(prefix), score.Value);
        }

        json.WriteFigure($"{prefix}Tokens", evaluation.Tokens);
    }

    private static void WriteLoads(Utf8JsonWriter json, IReadOnlyList<ExpertLoad> loads)
    {
        if (loads.Count == 0)
        {
            return;
        }

        json.WriteStartArray("expertLayer"u8);
        for (int i = 0; i < loads.Count; i++)
        {
            json.WriteFigure(loads[i].Layer);
        }

        json.WriteEndArray();
        json.WriteStartArray("expertLoad"u8);
        for (int i = 0; i < loads.Count; i++)
        {
            json.WriteStartArray();
            for (int e = 0; e < loads[i].Shares.Count; e++)
            {
                json.WriteFigure(Math.Round((double)loads[i].Shares[e], 4));
            }

            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteStartArray("expertEntropy"u8);
        for (int i = 0; i < loads.Count; i++)
        {
            json.WriteFigure(Math.Round(loads[i].Entropy, 4));
        }

        json.WriteEndArray();
        json.WriteStartArray("expertDrops"u8);
        for (int i = 0; i < loads.Count; i++)
        {
            json.WriteFigure(loads[i].Dropped);
        }

        json.WriteEndArray();
    }

    private static long? Number(JsonElement line, string key)
        => line.TryGetProperty(key, out JsonElement element) && element.ValueKind == JsonValueKind.Number && element.TryGetInt64(out long value) ? value : null;
}

/// <summary>How far a run is.</summary>
/// <param name="Step">Steps taken.</param>
/// <param name="ElapsedSeconds">Of the clock on the wall, all starts of the run together.</param>
/// <param name="Tokens">Tokens trained on.</param>
internal readonly record struct RunPlace(long Step, double ElapsedSeconds, long Tokens);
