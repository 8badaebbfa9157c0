import ChannelScreen from '../chat/ChannelScreen.tsx'
import { Beginning } from '../chat/Beginning.tsx'
import { text } from '../chat/text.ts'
import { channelName, useModel } from '../model/context.ts'
import type { ScreenProps } from '../module.ts'
import { useShell } from '../shell/context.ts'
import { Conversation, conversation } from './messages.tsx'

/** GalleryChannel is a channel with the conversation in it. */
export default function GalleryChannel(props: ScreenProps<{ readonly channel: string }>) {
  const shell = useShell()
  const model = useModel()
  const name = () => {
    const channel = model.channel(props.params.channel)
    return channel ? (channel.name ? text().channel(channel.name) : channelName(model, channel)) : ''
  }
  const list = () =>
    props.params.channel === 'random' || model.channels().length < 3 ? (
      <Beginning name={name()} />
    ) : (
      <Conversation messages={conversation} divided shell={shell} />
    )
  return <ChannelScreen params={props.params} list={list()} />
}
