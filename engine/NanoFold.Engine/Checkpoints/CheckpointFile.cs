namespace NanoFold.Engine.Checkpoints;

/// <summary>One file of a checkpoint that is to be written.</summary>
/// <param name="Name">Its plain name, such as <c>model.safetensors</c>.</param>
/// <param name="Write">Writes its content to a stream; flushing it is not its task.</param>
public sealed record CheckpointFile(string Name, Action<Stream> Write);
