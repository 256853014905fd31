using NanoFold.Engine.Configuration;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Null;

namespace NanoFold.Engine.Runs.Evaluations;

/// <summary>
/// A model with its parameters as they are, on rows longer than those that it was trained on. Whatever follows from the context where it is left open, such as a
/// window of a quarter of it, stays as it was in training.
/// </summary>
internal static class LongerRows
{
    /// <summary>The run with longer rows: all that follows from <c>model.context</c> but the context is resolved already.</summary>
    public static RunConfig Of(RunConfig config, int context) => config with { Model = config.Model.Resolve() with { Context = context } };

    /// <summary>Why the model or its task has no such rows, in a line; null where it has.</summary>
    /// <param name="longer">From <see cref="Of"/>.</param>
    /// <param name="trained">The model.</param>
    /// <param name="task">Of the run.</param>
    public static string? WhyNot(RunConfig longer, Transformer trained, LearningTask task)
    {
        bool isShort = longer.Task.IsText && task.Places(TaskSplit.Validation) < longer.Model.Context;
        return WhyNot(longer, trained) ?? longer.Task.WhyNotLonger(trained.Config.Context)
            ?? (isShort ? $"what is held back has {task.Places(TaskSplit.Validation) + 1} tokens, and a row takes {longer.Model.Context + 1L}" : null);
    }

    /// <summary>The same where someone asks for rows of that length: conversations are laid into those, too.</summary>
    /// <inheritdoc cref="WhyNot(RunConfig, Transformer, LearningTask)" path="/param"/>
    public static string? WhyNot(RunConfig longer, Transformer trained)
    {
        if (longer.Model.Position == PositionKind.Learned && longer.Model.Context > trained.Config.Context)
        {
            return $"model.position is \"learned\": there are no vectors for places beyond {trained.Config.Context}";
        }

        if (!longer.Task.IsText && longer.Task.WhyNotLonger(trained.Config.Context) is { } reason)
        {
            return reason;
        }

        if (longer.Task.Validate(longer.Model, "task").Concat(longer.Model.Validate("model")).FirstOrDefault() is { } problem)
        {
            return $"{problem.Path}: {problem.Message}";
        }

        return OtherShape(longer.Model, trained) is { } name ? $"'{name}' has weights for {trained.Config.Context} places" : null;
    }

    /// <summary>The model for longer rows, its values those of the trained one.</summary>
    /// <exception cref="UserException">There is no memory for it.</exception>
    public static Transformer Copy(RunConfig longer, Transformer trained)
    {
        // Values alone: nothing is trained.
        DeviceMemory.Require((Int128)trained.Store.Elements * sizeof(float), "the same model for longer rows", "a smaller model", trained.Backend);
        return new Transformer(longer.Model, trained.Backend, new StoreSource(trained.Store), trains: null);
    }

    // A parameter whose shape follows from the context.
    private static string? OtherShape(ModelConfig longer, Transformer trained)
    {
        using var nowhere = new NullBackend();
        using var model = new Transformer(longer, nowhere, source: null, trains: null);
        return model.Store.Tensors.FirstOrDefault(tensor => trained.Store.Find(tensor.Name)?.Layout.SameShape(tensor.Layout) != true)?.Name;
    }
}
