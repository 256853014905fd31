using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs;

/// <summary>The lines of <see cref="RunFolder.MetricsFile"/>: one a step that is logged and one an evaluation.</summary>
internal static class MetricsJson
{
    /// <param name="log">Where the line goes.</param>
    /// <param name="step">Steps taken, this one included.</param>
    /// <param name="result">What the step gave.</param>
    /// <param name="tokensPerSecond">Smoothed.</param>
    /// <param name="lossScale">The factor on the loss's gradient, null where it is not scaled.</param>
    public static void AppendStep(JsonLinesLog log, long step, in StepResult result, double tokensPerSecond, double? lossScale)
        => log.Append((step, result, tokensPerSecond, lossScale), static (json, state) =>
        {
            json.WriteFigure("step"u8, state.step);
            // A step whose gradients overflowed was skipped.
            if (state.result.IsFinite)
            {
                json.WriteFigure("loss"u8, state.result.Loss);
                for (int i = 0; i < LossTerms.Count; i++)
                {
                    if (state.result.Terms[i] is (var key, { } term))
                    {
                        json.WriteFigure(key, term);
                    }
                }

                json.WriteFigure("gradientNorm"u8, state.result.GradientNorm);
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
            json.WriteFigure("tokensPerSecond"u8, Math.Round(state.tokensPerSecond, 1));
        });

    public static void AppendEvaluation(JsonLinesLog log, long step, Evaluation evaluation)
        => log.Append((step, evaluation), static (json, state) =>
        {
            json.WriteFigure("step"u8, state.step);
            json.WriteFigure("validationLoss"u8, state.evaluation.Loss);
            json.WriteFigure("validationBitsPerByte"u8, state.evaluation.BitsPerByte);
            json.WriteFigure("validationTokens"u8, state.evaluation.Tokens);
        });
}
