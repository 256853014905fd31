using NanoFold.Engine.Interchange;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Runs;

/// <summary>The values of a saved model in its open files, each in the first that has it: held as they are where that serves, otherwise copied.</summary>
/// <param name="files">Its own, then those of what it began with; closed with this.</param>
/// <param name="holder">Decides what is held.</param>
internal sealed class SourceInFiles(IReadOnlyList<(OpenValues Open, SavedValues Of)> files, WeightHolder holder) : IHoldingSource, IDisposable
{
    private readonly FirstOfSources _copied = new([.. files.Select(file => file.Open)]);

    /// <inheritdoc/>
    public HeldValues? TryHold(Parameter parameter) => files.FirstOrDefault(file => file.Of.HasOwn(parameter.Name)).Open?.TryHold(parameter, holder);

    /// <inheritdoc/>
    public bool TryFill(StoredTensor tensor) => _copied.TryFill(tensor);

    /// <inheritdoc/>
    public void Dispose()
    {
        holder.Dispose();
        foreach ((OpenValues open, _) in files)
        {
            open.Dispose();
        }
    }
}
