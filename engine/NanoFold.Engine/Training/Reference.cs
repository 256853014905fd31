using NanoFold.Engine.Model;

namespace NanoFold.Engine.Training;

/// <summary>The model as it was when a run began, from which what is trained should not drift (<c>train.klWeight</c>).</summary>
/// <param name="Model">Its own, none of whose parameters is trained; or the model that is trained itself, where that is this one but for its adapters.</param>
/// <param name="IsWithoutAdapters">Which of both.</param>
public sealed record Reference(Transformer Model, bool IsWithoutAdapters)
{
    /// <summary>Bytes that it takes besides the model that is trained.</summary>
    public long Bytes => IsWithoutAdapters ? 0 : Model.Store.Bytes + Model.TableBytes;
}
