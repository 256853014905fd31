namespace NanoFold.Engine.Checkpoints;

/// <summary>A complete checkpoint on disk.</summary>
/// <param name="Step">How many steps had been taken when it was written.</param>
/// <param name="Path">Its folder, such as <c>RUN/checkpoints/step-000500</c>.</param>
public sealed record Checkpoint(long Step, string Path)
{
    /// <summary>The path of one of its files.</summary>
    public string File(string name) => System.IO.Path.Combine(Path, name);
}

/// <summary>One file of a checkpoint that is to be written.</summary>
/// <param name="Name">Its plain name, such as <c>model.safetensors</c>.</param>
/// <param name="Write">Writes its content to a stream; flushing it is not its task.</param>
public sealed record CheckpointFile(string Name, Action<Stream> Write);
