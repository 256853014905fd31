using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Training;

/// <summary>Makes the trainings of several processes one.</summary>
internal static class Alignment
{
    /// <summary>Gives every process the parameters, what the optimizer remembers and the loss scale of process 0: the next step is then the same in all of them.</summary>
    public static void Align(this Trainer trainer, ParameterStore store)
    {
        ICollective collective = trainer.Collective;
        foreach (StoredTensor tensor in store.Tensors)
        {
            collective.Broadcast(store.Values(tensor));
        }

        foreach (OptimizerSlot slot in trainer.Optimizer.Slots)
        {
            foreach (ElementRange piece in slot.All)
            {
                collective.Broadcast(slot.View(piece));
            }
        }

        (double scale, long good) = trainer.LossScale;
        trainer.LossScale = (collective.Agree(scale), collective.Agree(good));
        store.Changed();
    }
}
